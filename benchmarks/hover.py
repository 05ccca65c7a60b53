"""Milliseconds of hovers, hints and lenses from a warm model, over a real server process.

    python benchmarks/hover.py [LINES]

A file of about so many lines (2,000) is opened; when its memory model is there, each request is sent 60 times over all
kinds of places and timed from the client: the pipe, JSON and the event loop are part of the figures.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "server"), str(ROOT / "benchmarks")]

from editor import Editor, Text  # noqa: E402
from run import HEAD, UNIT  # noqa: E402

PLACES = ("batch_size=batch_size", "nn.Conv2d(3", "self.bn1(self", "loss.backward", "optimizer.step", "model(images)")
DATA = "from torchvision import datasets, transforms\n\nDATA = datasets.CIFAR10('d', transform=transforms.ToTensor())\n"


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    count = max(1, lines // (UNIT.count("\n") + 1))
    calls = "".join(f"train{i}(DATA, DATA, 'cuda')\n" for i in range(count))
    text = HEAD + DATA + "".join(UNIT.replace("{i}", str(i)) for i in range(count)) + calls
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor("vscode-1.139", Path(folder))
        start = time.perf_counter()
        document = editor.open(Path(folder) / "train.py", text)
        editor.pull(document)
        diagnostics = time.perf_counter() - start
        about = {"textDocument": {"uri": document.uri}}
        while not editor.request("textDocument/codeLens", about):
            time.sleep(0.05)
        model, count = time.perf_counter() - start, text.count("\n")
        print(f"{count} lines: first diagnostics {diagnostics:.2f} s, model {model:.2f} s")
        screen = {"start": {"line": 0, "character": 0}, "end": {"line": 60, "character": 0}}
        report("hover", [timed(editor, "textDocument/hover", at) for at in positions(document, about)])
        hints = about | {"range": screen}
        report("inlay hints of a screen", [timed(editor, "textDocument/inlayHint", hints) for _ in range(60)])
        report("code lenses", [timed(editor, "textDocument/codeLens", about) for _ in range(60)])
        editor.shut()
        editor.end()


def positions(document: Text, about: dict[str, Any]) -> list[dict[str, Any]]:
    """Ten places of each kind, spread over the file."""
    found = []
    for part in PLACES:
        at = -1
        for _ in range(10):
            at = document.text.find(part, at + 1)
            if at < 0:
                at = document.text.find(part)
            found.append(about | {"position": document.position(at + 4)})
    return found


def timed(editor: Editor, method: str, params: dict[str, Any]) -> float:
    start = time.perf_counter()
    editor.request(method, params)
    return 1000 * (time.perf_counter() - start)


def report(what: str, times: list[float]) -> None:
    times.sort()
    middle, tail = statistics.median(times), times[int(0.95 * len(times))]
    print(f"{what}: median {middle:.1f} ms, p95 {tail:.1f} ms, worst {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
