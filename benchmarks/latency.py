"""Keystroke to diagnostics and start to first diagnostics beside other servers, and hovers while an analysis runs.

    python benchmarks/latency.py [--ruff PATH/TO/ruff] [--pylsp PATH/TO/pylsp] [--lines 2000] [--keys 60]

All servers get the same keys in the same text over their pipes, from the client that VS Code is; they take turns, key
by key. A server that pushes is given the time of its own debounce: it is taken off.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "server"), str(ROOT / "benchmarks")]

from editor import COMMAND, Editor, Text  # noqa: E402
from run import script  # noqa: E402

# seconds that pylsp waits behind a change before it lints (`LINT_DEBOUNCE_S`)
DEBOUNCE = {"pylsp": 0.5}
KEYS = "  # a note\n            value = loss.item() * 2"


class Peer:
    """A server with the text open in it."""

    def __init__(self, name: str, command: list[str], root: Path, text: str) -> None:
        self.name = name
        started = time.perf_counter()
        self.editor = Editor("vscode-1.139", root, command=command)
        # ruff only offers pull where it is asked for dynamically or not at all, pylsp never does
        self.document = self.editor.open(root / "train.py", text)
        self.answered()
        self.start = time.perf_counter() - started
        self.times: list[float] = []

    def answered(self) -> None:
        editor, document = self.editor, self.document
        if editor.pulls or "textDocument/diagnostic" in editor.registered:
            editor.request("textDocument/diagnostic", {"textDocument": {"uri": document.uri}})
            return

        def current() -> bool:
            found = editor.pushed.get(document.uri)
            return found is not None and found.get("version") in (document.version, None)

        if not editor.until(current, 60):
            raise TimeoutError(f"{self.name}: {editor.log_text()[-2000:]}")

    def key(self, at: int, key: str) -> None:
        # what was pushed without a version is of an older text
        self.editor.pushed.pop(self.document.uri, None)
        started = time.perf_counter()
        self.editor.change(self.document, at, at, key)
        self.answered()
        self.times.append(time.perf_counter() - started - DEBOUNCE.get(self.name, 0))

    def end(self) -> None:
        self.editor.end()


def places(text: str, count: int) -> list[int]:
    """Where keys are typed: behind a statement in training loops all over the file."""
    found, at = [], text.find("optimizer.step()")
    while at >= 0:
        found.append(at + len("optimizer.step()"))
        at = text.find("optimizer.step()", at + 1)
    return [found[(7 * i) % len(found)] for i in range(count)]


def percentiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def typed(peers: list[Peer], text: str, count: int) -> None:
    """The same keys everywhere; each series goes on behind the one before."""
    rounds = -(-count // len(KEYS))
    for at in sorted(places(text, rounds), reverse=True):
        for offset, key in enumerate(KEYS):
            for peer in peers:
                peer.key(at + offset, key)


def hovers(root: Path, text: str, count: int) -> None:
    """Hovers on the last line of a file whose first lines change, so that all of it is analysed again."""
    editor = Editor("vscode-1.139", root)
    document = editor.open(root / "hovered.py", text)
    editor.diagnostics(document)
    place = document.position(text.rindex("loss.backward()"))
    about = {"textDocument": {"uri": document.uri}, "position": place}
    while not editor.request("textDocument/codeLens", {"textDocument": {"uri": document.uri}}):
        time.sleep(0.1)
    editor.request("textDocument/hover", about)
    waits, analyses, empty = [], [], 0
    for number in range(count):
        document = edited_head(editor, document, number)
        began = time.perf_counter()
        pull = editor.ask("textDocument/diagnostic", {"textDocument": {"uri": document.uri}})
        time.sleep(0.03)
        started = time.perf_counter()
        about["position"] = document.position(document.text.rindex("loss.backward()"))
        empty += editor.request("textDocument/hover", about) is None
        waits.append(time.perf_counter() - started)
        editor.wait(pull)
        analyses.append(time.perf_counter() - began)
    middle, tail = percentiles(waits)
    print(f"hover while an analysis of {statistics.median(analyses) * 1000:.0f} ms runs:", end=" ")
    print(f"median {middle * 1000:.1f} ms, p95 {tail * 1000:.1f} ms, worst {max(waits) * 1000:.1f} ms;", end=" ")
    print(f"{empty} of {count} empty")
    editor.end()


def edited_head(editor: Editor, document: Text, number: int) -> Text:
    editor.change(document, 0, 0, f"SEED{number} = {number}\n")
    return document


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ruff")
    parser.add_argument("--pylsp")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--keys", type=int, default=60)
    given = parser.parse_args()
    commands = {"trainlint": COMMAND}
    commands |= {"ruff": [given.ruff, "server"]} if given.ruff else {}
    commands |= {"pylsp": [given.pylsp]} if given.pylsp else {}
    text = script(given.lines)
    print(f"{text.count(chr(10))} lines")
    with tempfile.TemporaryDirectory() as folder:
        starts: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(4):
            peers = [Peer(name, command, Path(folder), text) for name, command in commands.items()]
            for peer in peers:
                if number:  # the first start warms the disk
                    starts[peer.name].append(peer.start)
                if number < 3:
                    peer.end()
        typed(peers, text, given.keys)
        ours = percentiles(peers[0].times)
        first = statistics.median(starts["trainlint"])
        for peer in peers:
            middle, tail = percentiles(peer.times)
            start = statistics.median(starts[peer.name])
            print(f"{peer.name}: key to diagnostics median {middle * 1000:.0f} ms, p95 {tail * 1000:.0f} ms; ", end="")
            print(f"start to first diagnostics {start:.2f} s", end="")
            ratios = f"; trainlint / {peer.name}: {ours[0] / middle:.2f}, {ours[1] / tail:.2f}, {first / start:.2f}"
            print(ratios if peer.name != "trainlint" else "")
            peer.end()
        hovers(Path(folder), text, 30)


if __name__ == "__main__":
    main()
