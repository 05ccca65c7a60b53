"""A long editing session in a real server: no stale diagnostic, no error in the log, memory flat.

    python benchmarks/session.py [SECONDS] [SEED] [PAUSE]

Two files and a notebook of a repository are edited at random (typing, deleting, undo, renames, pasted blocks, cells
added, moved and removed), configuration is written, commits are made and branches checked out, settings change. Again
and again it rests; what the editor shows then must be what a fresh check of the same texts finds. PAUSE (0.05) is the
time between two actions in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "server")]

from editor import Editor, Text, uri  # noqa: E402
from session_texts import BLOCKS, CONFIGURATIONS, FILES, LINES, NOTEBOOK, SETTINGS  # noqa: E402
from test_notebooks import Notebook  # noqa: E402

from trainlint.project.config import Overrides  # noqa: E402
from trainlint.project.errors import UsageError  # noqa: E402
from trainlint.project.session import Session  # noqa: E402
from trainlint.server.documents import difference  # noqa: E402

# one shown finding: line, character, code, message
Shown = tuple[int, int, str, str]
ACTIONS_BETWEEN_RESTS = 12
LONGEST_REST = 20.0  # seconds until what is shown must be what a fresh check finds


class Workspace:
    """A repository with two branches and what changes in it outside the editor."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            (root / name).write_text(text)
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.git("checkout", "-q", "-b", "other")
        (root / "data.yaml").write_text("batch_size: 512\nlr: 0.1\n")
        self.commit()
        self.git("checkout", "-q", "main")
        self.branch = "main"

    def git(self, *arguments: str) -> None:
        about = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *about, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a state")


class Play:
    """One session. `stale` holds what was wrong at rests, `waits` how long the last of the findings took to come."""

    def __init__(self, root: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.workspace = Workspace(root)
        self.settings: dict[str, Any] = {}
        self.editor = Editor("vscode-1.139", root, settings=self.settings)
        self.documents = {name: self.editor.open(root / name, FILES[name]) for name in ("train.py", "helper.py")}
        self.undone: dict[str, list[str]] = {name: [] for name in self.documents}
        self.notebook = Notebook(self.editor, root / "train.ipynb", NOTEBOOK)
        self.names = len(NOTEBOOK)
        self.actions: Counter[str] = Counter()
        self.stale: list[str] = []
        self.waits: list[float] = []
        self.sizes: list[int] = []

    # what a person does

    def act(self) -> None:
        kinds = {
            self.type: 30, self.delete: 10, self.undo: 12, self.rename: 3, self.paste: 5, self.restore: 4,
            self.edit_cell: 12, self.add_cell: 3, self.remove_cell: 3, self.move_cell: 2, self.save: 3,
            self.reopen: 1, self.configure: 2, self.check_out: 2, self.commit: 1, self.change_settings: 1,
        }  # fmt: skip
        (action,) = self.chance.choices(list(kinds), list(kinds.values()))
        self.actions[action.__name__] += 1
        action()

    def document(self) -> tuple[str, Text]:
        name = self.chance.choice(["train.py", "train.py", "helper.py"])
        text = self.documents[name].text
        self.undone[name] = [*self.undone[name][-40:], text]
        return name, self.documents[name]

    def type(self) -> None:
        """A line, key by key, at the indent of the line before."""
        _, document = self.document()
        lines = document.text.split("\n")
        number = self.chance.randrange(len(lines))
        before = lines[number]
        indent = before[: len(before) - len(before.lstrip())] + ("    " if before.rstrip().endswith(":") else "")
        at = sum(len(line) + 1 for line in lines[:number]) + len(before)
        for key in "\n" + indent + self.chance.choice(LINES):
            self.editor.change(document, at, at, key)
            at += 1
            if self.chance.random() < 0.3:
                # editors ask after a key and cancel the question at the next
                asked = {"textDocument": {"uri": document.uri}, "identifier": "trainlint"}
                number = self.editor.ask("textDocument/diagnostic", asked)
                if self.chance.random() < 0.5:
                    self.editor.notify("$/cancelRequest", {"id": number})

    def delete(self) -> None:
        _, document = self.document()
        start = self.chance.randrange(len(document.text) + 1)
        self.editor.change(document, start, min(len(document.text), start + self.chance.choice([1, 1, 5, 40])), "")

    def undo(self) -> None:
        name = self.chance.choice(list(self.documents))
        if self.undone[name]:
            self.set(name, self.undone[name].pop())

    def set(self, name: str, text: str) -> None:
        document = self.documents[name]
        change = difference(document.text, text)
        self.editor.change(document, change.start, change.end, change.text)

    def rename(self) -> None:
        name, document = self.document()
        names = sorted(set(re.findall(r"\b[a-z_]{4,}\b", document.text)))
        old = self.chance.choice(names)
        self.set(name, re.sub(rf"\b{old}\b", self.chance.choice([*names, "renamed"]), document.text))

    def paste(self) -> None:
        _, document = self.document()
        ends = [match.end() for match in re.finditer(r"\n\n\n", document.text)] or [len(document.text)]
        at = self.chance.choice(ends)
        self.editor.change(document, at, at, self.chance.choice(BLOCKS))

    def restore(self) -> None:
        """Back to a text that makes sense, so that the file does not decay."""
        name, _ = self.document()
        self.set(name, FILES[name])

    def edit_cell(self) -> None:
        number = self.chance.randrange(len(self.notebook.cells))
        text = self.notebook.cells[number].text
        lines = [*text.splitlines(keepends=True), self.chance.choice(LINES) + "\n"]
        lines.pop(self.chance.randrange(len(lines)))
        self.notebook.set(number, self.chance.choice([*NOTEBOOK, "".join(lines), "".join(lines)]))

    def add_cell(self) -> None:
        if len(self.notebook.cells) < 8:
            self.put_cell(self.chance.randrange(len(self.notebook.cells) + 1), self.chance.choice(NOTEBOOK))

    def put_cell(self, at: int, text: str) -> None:
        self.names += 1
        cell = Text(f"vscode-notebook-cell:{self.workspace.root}/train.ipynb#X{self.names}", text, self.editor.encoding)
        self.notebook.cells.insert(at, cell)
        array = {"start": at, "deleteCount": 0, "cells": [{"kind": 2, "document": cell.uri}]}
        self.notebook.change({"structure": {"array": array, "didOpen": [self.notebook.item(cell)]}})

    def remove_cell(self) -> None:
        if len(self.notebook.cells) > 2:
            self.notebook.remove(self.chance.randrange(len(self.notebook.cells)))

    def move_cell(self) -> None:
        if len(self.notebook.cells) > 2:
            gone = self.notebook.remove(0)
            self.put_cell(len(self.notebook.cells), gone.text)

    def save(self) -> None:
        name, document = self.document()
        (self.workspace.root / name).write_text(document.text)
        self.editor.notify("textDocument/didSave", {"textDocument": {"uri": document.uri}})

    def reopen(self) -> None:
        name, document = self.document()
        self.editor.close(document)
        self.documents[name] = self.editor.open(self.workspace.root / name, document.text)

    def configure(self) -> None:
        (self.workspace.root / "trainlint.toml").write_text(self.chance.choice(CONFIGURATIONS))
        self.changed("trainlint.toml")

    def check_out(self) -> None:
        """Another branch: the open files stay as they are in the editor, another one changes on disk."""
        self.workspace.branch = "other" if self.workspace.branch == "main" else "main"
        self.workspace.git("checkout", "-q", "-f", self.workspace.branch)
        self.changed("data.yaml", "trainlint.toml", *FILES, ".git/HEAD")

    def commit(self) -> None:
        self.workspace.commit()
        self.changed(".git/logs/HEAD")

    def change_settings(self) -> None:
        self.settings.clear()
        self.settings.update(self.chance.choice(SETTINGS))
        self.editor.notify("workspace/didChangeConfiguration", {"settings": None})

    def changed(self, *names: str) -> None:
        changes = [{"uri": uri(self.workspace.root / name), "type": 2} for name in names]
        self.editor.notify("workspace/didChangeWatchedFiles", {"changes": changes})

    # what must be true at rest

    def rest(self) -> None:
        start = time.monotonic()
        expected = self.fresh()
        while (shown := self.shown()) != expected and time.monotonic() - start < LONGEST_REST:
            time.sleep(0.1)
        self.waits.append(time.monotonic() - start)
        if shown != expected:
            for name in expected:
                wrong, missing = shown[name] - expected[name], expected[name] - shown[name]
                if wrong or missing:
                    self.stale.append(f"{name}: stale {sorted(wrong)}, missing {sorted(missing)}")
                    self.dump(len(self.stale))
        self.editor.answers.clear()
        self.sizes.append(resident(self.editor.process.pid))

    def dump(self, number: int) -> None:
        """Keep the texts of a rest that was wrong below the folder SESSION_DUMP, if that is set."""
        if folder := os.environ.get("SESSION_DUMP"):
            at = Path(folder) / str(number)
            shutil.copytree(self.workspace.root, at, dirs_exist_ok=True)
            for name, document in self.documents.items():
                (at / name).write_text(document.text)
            (at / "train.ipynb").write_text(notebook_json([cell.text for cell in self.notebook.cells]))
            (at / "settings.json").write_text(json.dumps(self.settings))

    def shown(self) -> dict[str, Counter[Shown]]:
        result = {name: Counter(map(short, self.editor.pull(each)["items"])) for name, each in self.documents.items()}
        pushed = [self.editor.pushed.get(cell.uri, {"diagnostics": []}) for cell in self.notebook.cells]
        cells = [(number, item) for number, found in enumerate(pushed) for item in found["diagnostics"]]
        result["train.ipynb"] = Counter((100_000 * number + short(i)[0], *short(i)[1:]) for number, i in cells)
        return result

    def fresh(self) -> dict[str, Counter[Shown]]:
        """What a check that knows nothing of before finds in the same texts."""
        session = Session([self.workspace.root], Overrides(**overrides(self.settings)), diff_base="HEAD")
        root = self.workspace.root
        for name, document in self.documents.items():
            session.put_text(str(root / name), document.text)
        session.put_text(str(root / "train.ipynb"), notebook_json([cell.text for cell in self.notebook.cells]))
        result: dict[str, Counter[Shown]] = {}
        for name in [*self.documents, "train.ipynb"]:
            result[name] = Counter()
            try:
                findings = session.check(str(root / name)).findings
            except UsageError:  # a configuration that cannot be read: the editor shows nothing but that
                continue
            for finding in findings:
                if finding.path != str(root / name):
                    continue
                cell = finding.cell or 0
                text = self.notebook.cells[cell] if finding.cell is not None else self.documents[name]
                line = text.text.split("\n")[finding.span.line - 1]
                at = text.position(sum(len(x) + 1 for x in text.text.split("\n")[: finding.span.line - 1]))
                column = len(line[: finding.span.column - 1].encode("utf-16-le")) // 2
                result[name][(100_000 * cell + at["line"], column, finding.code, finding.message)] += 1
        session.stop()
        return result

    # the end

    def errors(self) -> list[str]:
        return [line for line in self.editor.log_text().splitlines() if re.search(r" ERROR |Traceback", line)]

    def growth(self) -> float:
        """How much larger the server is at the end than after its first third."""
        third = max(1, len(self.sizes) // 3)
        early, late = sorted(self.sizes[third : 2 * third]), sorted(self.sizes[-third:])
        return late[len(late) // 2] / early[len(early) // 2] if early and late else 1.0


def overrides(settings: dict[str, Any]) -> dict[str, Any]:
    return {"ignore": tuple(settings.get("lint", {}).get("ignore", ()))}


def short(item: dict[str, Any]) -> Shown:
    start = item["range"]["start"]
    return start["line"], start["character"], str(item["code"]), item["message"]


def notebook_json(cells: list[str]) -> str:
    made = [
        {"cell_type": "code", "metadata": {}, "source": text.splitlines(True), "execution_count": None, "outputs": []}
        for text in cells
    ]
    language = {"language_info": {"name": "python"}}
    return json.dumps({"cells": made, "metadata": language, "nbformat": 4, "nbformat_minor": 5})


def resident(process: int) -> int:
    """KiB of memory of a process, 0 where the system does not tell."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def play(root: Path, seconds: float, seed: int = 0, pause: float = 0.05) -> Play:
    """A session of so many seconds; the caller ends its editor."""
    session = Play(root, seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end and session.editor.process.poll() is None:
        for _ in range(ACTIONS_BETWEEN_RESTS):
            session.act()
            time.sleep(pause * session.chance.random() * 2)
        known = len(session.stale)
        session.rest()
        if len(session.stale) > known:
            print(f"after {sum(session.actions.values())} actions: {session.stale[-1]}", flush=True)
    return session


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("pause", nargs="?", type=float, default=0.05)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = play(Path(folder), given.seconds, given.seed, given.pause)
        waits, errors = sorted(session.waits), session.errors()
        print(f"{sum(session.actions.values())} actions in {given.seconds:.0f} s: {dict(session.actions)}")
        print(f"{len(waits)} rests, {len(session.stale)} stale; the last finding came after", end=" ")
        print(f"{waits[len(waits) // 2]:.2f} s (median), {waits[-1]:.2f} s (worst)")
        first, last, most = (size // 1024 for size in (session.sizes[0], session.sizes[-1], max(session.sizes)))
        print(f"memory {first} MiB at first, {last} MiB at last, {most} MiB at most;", end=" ")
        print(f"last third / second third {session.growth():.3f}")
        print(f"{len(errors)} errors in the log" + "".join(f"\n  {line}" for line in errors[:10]))
        alive = session.editor.process.poll() is None and session.editor.shut() == 0
        session.editor.end()
    return 0 if alive and not session.stale and not errors and session.growth() < 1.1 else 1


if __name__ == "__main__":
    sys.exit(main())
