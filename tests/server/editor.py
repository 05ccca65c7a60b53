"""A small LSP client over stdio that plays an editor with that editor's captured capabilities."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

CAPTURES = Path(__file__).parent / "captures"
EDITORS = ("vscode-1.139", "neovim-0.11", "neovim-0.7", "emacs-eglot-1.9")
COMMAND = [sys.executable, "-c", "import sys; from trainlint.server.main import serve; sys.exit(serve(['--stdio']))"]


def uri(path: Path | str) -> str:
    return "file://" + quote(str(path))


def units(text: str, encoding: str) -> int:
    return (
        len(text)
        if encoding == "utf-32"
        else len(text.encode(encoding if encoding == "utf-8" else "utf-16-le")) // (1 if encoding == "utf-8" else 2)
    )


class Text:
    """A document as the editor holds it."""

    def __init__(self, uri: str, text: str, encoding: str) -> None:
        self.uri, self.text, self.encoding, self.version = uri, text, encoding, 1

    def position(self, offset: int) -> dict[str, int]:
        start = self.text.rfind("\n", 0, offset) + 1
        return {"line": self.text.count("\n", 0, offset), "character": units(self.text[start:offset], self.encoding)}

    def offset(self, position: dict[str, int]) -> int:
        lines = self.text.split("\n")
        if position["line"] >= len(lines):
            return len(self.text)
        start, line, seen = sum(len(line) + 1 for line in lines[: position["line"]]), lines[position["line"]], 0
        for index, character in enumerate(line):
            if seen >= position["character"]:
                return start + index
            seen += units(character, self.encoding)
        return start + len(line)

    def slice(self, range: dict[str, Any]) -> str:
        return self.text[self.offset(range["start"]) : self.offset(range["end"])]

    def find(self, part: str, plus: int = 0) -> dict[str, int]:
        return self.position(self.text.index(part) + plus)

    def applied(self, edits: list[dict[str, Any]]) -> str:
        text = self.text
        spans = [(self.offset(e["range"]["start"]), self.offset(e["range"]["end"]), e["newText"]) for e in edits]
        for start, end, new in sorted(spans, reverse=True):
            text = text[:start] + new + text[end:]
        return text


class RpcError(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class Editor:
    """Starts the server and speaks to it. Diagnostics come by pull where the server offers that to this editor."""

    def __init__(
        self,
        name: str,
        root: Path,
        settings: dict[str, Any] | None = None,
        command: list[str] = COMMAND,
        pid: int | None = None,
        folders: list[Path] | None = None,
        **changes: Any,
    ) -> None:
        self.name, self.root, self.settings = name, root, settings
        self.start_params = json.loads((CAPTURES / f"{name}.json").read_text()) | changes
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log
        )
        self.ids = itertools.count(1)
        self.answers: dict[int, dict[str, Any]] = {}
        self.pushed: dict[str, dict[str, Any]] = {}
        self.pushes: list[dict[str, Any]] = []
        self.registered: dict[str, Any] = {}
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.progress: list[dict[str, Any]] = []
        # by the URI that settings are asked for; else `settings`
        self.settings_of: dict[str, Any] = {}
        self.garbage: list[bytes] = []
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.result = self.request(
            "initialize",
            {**self.start_params, "processId": pid, "rootUri": uri(root),
             "workspaceFolders": [{"uri": uri(folder), "name": folder.name} for folder in folders or [root]]},
        )  # fmt: skip
        self.server = self.result["capabilities"]
        self.encoding = self.server.get("positionEncoding", "utf-16")
        self.notify("initialized", {})

    # the wire

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            size = None
            while line := stream.readline():
                if not line.strip():
                    break
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
                elif not line.lower().startswith(b"content-type:"):
                    self.garbage.append(line)
            if size is None:
                return
            self._got(json.loads(stream.read(size)))

    def _got(self, message: dict[str, Any]) -> None:
        with self.news:
            if "method" not in message:
                self.answers[message["id"]] = message
            elif "id" in message:
                self.asked.append(message["method"])
                with contextlib.suppress(OSError, ValueError):  # the test may have closed the pipe
                    self._send({"jsonrpc": "2.0", "id": message["id"], "result": self._answer(message)})
            elif message["method"] == "textDocument/publishDiagnostics":
                self.pushed[message["params"]["uri"]] = message["params"]
                self.pushes.append(message["params"])
            elif message["method"] == "$/progress":
                self.progress.append(message["params"])
            elif message["method"] == "window/showMessage":
                self.shown.append(message["params"]["message"])
            self.news.notify_all()

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] == "client/registerCapability":
            for wish in message["params"]["registrations"]:
                self.registered[wish["method"]] = wish.get("registerOptions")
        if message["method"] == "workspace/configuration":
            scopes = [item.get("scopeUri") for item in message["params"]["items"]]
            return [self.settings_of.get(scope, self.settings) for scope in scopes]
        return None

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def notify(self, method: str, params: Any = None) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any) -> int:
        number = next(self.ids)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def wait(self, number: int, seconds: float = 30) -> Any:
        if not self.until(lambda: number in self.answers, seconds):
            raise TimeoutError(f"no answer (exit code {self.process.poll()}); the log: {self.log_text()[-2000:]}")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def request(self, method: str, params: Any) -> Any:
        return self.wait(self.ask(method, params))

    def until(self, test: Callable[[], Any], seconds: float = 15) -> Any:
        end = time.monotonic() + seconds
        with self.news:
            while not (value := test()) and time.monotonic() < end and self.process.poll() is None:
                self.news.wait(0.1)
        return value

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    # documents

    @property
    def pulls(self) -> bool:
        return "diagnosticProvider" in self.server

    def open(self, path: Path | str, text: str, **item: Any) -> Text:
        document = Text(item.pop("uri", None) or uri(path), text, self.encoding)
        item = {"uri": document.uri, "languageId": "python", "version": 1, "text": text} | item
        self.notify("textDocument/didOpen", {"textDocument": item})
        return document

    def change(self, document: Text, start: int, end: int, new: str) -> None:
        where = {"start": document.position(start), "end": document.position(end)}
        document.text = document.text[:start] + new + document.text[end:]
        document.version += 1
        about = {"uri": document.uri, "version": document.version}
        changes = [{"range": where, "text": new}]
        self.notify("textDocument/didChange", {"textDocument": about, "contentChanges": changes})

    def replace(self, document: Text, old: str, new: str) -> None:
        start = document.text.index(old)
        self.change(document, start, start + len(old), new)

    def set(self, document: Text, text: str) -> None:
        document.text = text
        document.version += 1
        about = {"uri": document.uri, "version": document.version}
        self.notify("textDocument/didChange", {"textDocument": about, "contentChanges": [{"text": text}]})

    def close(self, document: Text) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": document.uri}})

    def pull(self, document: Text, previous: str | None = None) -> dict[str, Any]:
        params: dict[str, Any] = {"textDocument": {"uri": document.uri}, "identifier": "trainlint"}
        if previous:
            params["previousResultId"] = previous
        return self.request("textDocument/diagnostic", params)

    def diagnostics(
        self, document: Text, test: Callable[[set[str]], bool] = lambda codes: True, seconds: float = 15
    ) -> list[dict[str, Any]]:
        """The diagnostics of the current version, once their codes satisfy `test` (or time is up)."""
        end = time.monotonic() + seconds
        if self.pulls:
            while True:
                items = self.pull(document)["items"]
                if test(codes(items)) or time.monotonic() > end:
                    return items
                time.sleep(0.1)

        def current() -> bool:
            found = self.pushed.get(document.uri)
            if found is None or found.get("version") != document.version:
                return False
            return test(codes(found["diagnostics"]))

        self.until(current, seconds)
        return self.pushed.get(document.uri, {"diagnostics": []})["diagnostics"]

    def actions(self, document: Text, range: dict[str, Any], only: list[str] | None = None) -> list[dict[str, Any]]:
        context: dict[str, Any] = {"diagnostics": [], "triggerKind": 1}
        if only is not None:
            context["only"] = only
        params = {"textDocument": {"uri": document.uri}, "range": range, "context": context}
        return self.request("textDocument/codeAction", params)

    def resolved(self, action: dict[str, Any]) -> dict[str, Any]:
        """The action with its edit, which the editor asks for where it can."""
        return action if "edit" in action else self.request("codeAction/resolve", action)

    def hover(self, document: Text, position: dict[str, int]) -> dict[str, Any] | None:
        return self.request("textDocument/hover", {"textDocument": {"uri": document.uri}, "position": position})

    def shut(self) -> int:
        self.request("shutdown", None)
        self.notify("exit")
        return self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.log.close()


def codes(items: list[dict[str, Any]]) -> set[str]:
    return {str(item["code"]) for item in items}


def edits_of(action: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The text edits of an action by URI, from `changes` or `documentChanges`."""
    edit = action["edit"]
    found = {key: list(value) for key, value in edit.get("changes", {}).items()}
    for change in edit.get("documentChanges", []):
        found.setdefault(change["textDocument"]["uri"], []).extend(change["edits"])
    return found
