"""The memory model in the editor: hovers, inlay hints, code lenses, through edits and half-typed code."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEditor
from editor import Editor, Text, edits_of, uri

from trainlint.memory.estimate import Estimate
from trainlint.memory.wording import size
from trainlint.project.session import Session
from trainlint.server.markdown import plain

TRAIN = """import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

batch_size = 64


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        self.fc = nn.Sequential(nn.Linear(64, 2048), nn.Linear(2048, 10))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)
        return self.fc(x)


def main():
    data = datasets.CIFAR10("data", train=True, transform=transforms.ToTensor())
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    model = Net().to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for images, labels in loader:
        images, labels = images.to("cuda"), labels.to("cuda")
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()


main()
"""
ALL = {"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}}
RELU = "torch.relu(self.bn1(self.conv1(x)))"


def estimated(folder: Path, text: str = TRAIN, batch: int | None = None) -> Estimate:
    (folder / "estimated.py").write_text(text)
    (found,) = Session([folder]).memory(str(folder / "estimated.py"), batch)
    return found


def hints(editor: Editor, document: Text) -> list[dict[str, Any]]:
    return editor.request("textDocument/inlayHint", {"textDocument": {"uri": document.uri}, "range": ALL})


def lenses(editor: Editor, document: Text) -> list[dict[str, Any]]:
    return editor.request("textDocument/codeLens", {"textDocument": {"uri": document.uri}})


def wait_for(what: Any, seconds: float = 15) -> Any:
    """What the function gives once it is true; editors ask again when they are told to."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def hovered(editor: Editor, document: Text, part: str, plus: int = 0) -> str:
    """The hover without the marks of Markdown; the model is there already."""
    hover = editor.hover(document, document.find(part, plus))
    return "" if hover is None else plain(hover["contents"]["value"])


def opened(editor: Editor, path: Path, text: str = TRAIN) -> Text:
    document = editor.open(path, text)
    assert wait_for(lambda: lenses(editor, document))
    return document


def test_the_batch_size_says_what_it_costs(editor: Editor, tmp_path: Path) -> None:
    document = opened(editor, tmp_path / "train.py")
    one, half, twice = (estimated(tmp_path, batch=n).peak.allocated for n in (64, 32, 128))
    for part, plus in (("batch_size = 64", 2), ("= 64", 2), ("batch_size=batch_size", 14)):
        text = hovered(editor, document, part, plus)
        assert text.startswith(f"64 → peak {size(one)}: ")
        assert f"32 → {size(half).split()[0]}" in text
        assert f"128 → {size(twice)}" in text
        assert "782 iterations an epoch" in text
        assert "batch size: batch_size, line 6" in text
        assert re.search(r"SGD momentum \d.*\n", text)
        assert "SGD momentum: SGD, built at line 26" in text
    editor.close(document)


def test_each_part_of_the_step_says_its_share(editor: Editor, tmp_path: Path) -> None:
    document = opened(editor, tmp_path / "train.py")
    estimate = estimated(tmp_path)
    assert "a batch takes 768 KiB" in hovered(editor, document, "loader = DataLoader", 2)
    assert f"SGD momentum {size(estimate.terms['optimizer'])}" in hovered(editor, document, "optimizer.step", 2)
    assert f"activations {size(estimate.terms['activations'])}" in hovered(editor, document, "model(images)", 2)
    assert "backward begins with" in hovered(editor, document, "loss.backward", 7)
    layer = hovered(editor, document, "nn.BatchNorm2d", 5)
    # its input, as float32, and two statistics of 64 channels
    assert f"keeps {size(64 * 64 * 32 * 32 * 4 + 2 * 64 * 4)} for backward" in layer
    assert "BatchNorm2d(64)" in layer
    line = hovered(editor, document, f"x = {RELU}")
    assert "this line in a step at batch 64: 32 MiB stay until backward" in line
    editor.close(document)


def test_lines_have_hints_and_the_function_a_lens(editor: Editor, tmp_path: Path) -> None:
    document = opened(editor, tmp_path / "train.py")
    (hint,) = wait_for(lambda: hints(editor, document))
    assert hint["label"] == "32 MiB"
    assert document.offset(hint["position"]) == document.text.index(RELU) + len(RELU)
    (lens,) = lenses(editor, document)
    assert lens["command"]["title"] == f"≈ {size(estimated(tmp_path).peak.allocated)} at batch 64 · measure"
    assert lens["command"]["command"] == "trainlint.measure"
    assert lens["command"]["arguments"] == [{"uri": document.uri, "line": 26}]
    assert document.find("def main")["line"] == lens["range"]["start"]["line"]
    editor.close(document)
    assert not hints(editor, document)


def test_figures_move_with_edits_and_stay_while_code_is_half_typed(editor: Editor, tmp_path: Path) -> None:
    document = opened(editor, tmp_path / "train.py")
    (before,) = wait_for(lambda: hints(editor, document))
    start = document.text.index("        x = torch.relu")
    editor.change(document, start, start, "        y = self.conv1(\n")
    # at once from the last model; later the new text is tried, which knows less and is not taken
    for pause in (0, 1.0):
        time.sleep(pause)
        (now,) = hints(editor, document)
        assert (now["label"], now["position"]["line"]) == (before["label"], before["position"]["line"] + 1)
    assert "64 → peak" in hovered(editor, document, "batch_size = 64", 2)
    editor.change(document, start, start + len("        y = self.conv1(\n"), "")
    editor.replace(document, "batch_size = 64", "batch_size = 32")
    assert wait_for(lambda: "32 → peak" in hovered(editor, document, "batch_size = 32", 2))
    assert hints(editor, document)[0]["label"] == "16 MiB"
    editor.close(document)


def test_the_editor_is_told_of_new_figures(start: StartEditor, tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "train.py", TRAIN)
    both = {"workspace/inlayHint/refresh", "workspace/codeLens/refresh"}
    assert editor.until(lambda: both <= set(editor.asked))
    assert hints(editor, document)
    known = len(editor.asked)
    editor.change(document, len(TRAIN), len(TRAIN), "# a note\n")
    time.sleep(1.2)
    assert not both & set(editor.asked[known:]), "nothing to show has changed"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"hints": {"memory": False}}, (False, True, True)),
        ({"hints.minimum": "1GiB"}, (False, True, True)),
        ({"lens": {"memory": False}}, (True, False, True)),
        ({"hover": {"memory": False}}, (True, True, False)),
        ({"enable": False}, (False, False, False)),
    ],
)
def test_each_can_be_switched_off(
    start: StartEditor, tmp_path: Path, settings: dict[str, Any], shown: tuple[bool, bool, bool]
) -> None:
    editor = start("emacs-eglot-1.9", initializationOptions=settings)
    document = editor.open(tmp_path / "train.py", TRAIN)
    found = hints(editor, document), lenses(editor, document), "peak" in hovered(editor, document, "batch_size = 64", 2)
    assert tuple(map(bool, found)) == shown


def test_a_smaller_least_hint_shows_more_lines(start: StartEditor, tmp_path: Path) -> None:
    editor = start("emacs-eglot-1.9", initializationOptions={"hints": {"minimum": 0}})
    document = editor.open(tmp_path / "train.py", TRAIN)
    assert len(hints(editor, document)) > 3


def test_a_model_in_another_file_has_its_hints_there(start: StartEditor, tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    head, _, rest = TRAIN.partition("class Net")
    body, _, main = rest.partition("def main")
    text = f"import torch\nfrom torch import nn\n\n\nclass Net{body}"
    (tmp_path / "model.py").write_text(text)
    model = editor.open(tmp_path / "model.py", text)
    train = opened(editor, tmp_path / "train.py", f"{head}from model import Net\n\n\ndef main{main}")
    (hint,) = hints(editor, model)
    assert model.offset(hint["position"]) == model.text.index(RELU) + len(RELU)
    assert hint["label"] == "32 MiB"
    assert "32 MiB stay until backward" in hovered(editor, model, f"x = {RELU}")
    editor.change(model, 0, 0, "# a note\n")
    (moved,) = hints(editor, model)
    assert moved["position"]["line"] == hint["position"]["line"] + 1
    assert "model.py, line" in hovered(editor, train, "batch_size = 64", 2)


def test_the_cells_of_a_notebook(start: StartEditor, tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    head, _, rest = TRAIN.partition("def main():\n")
    loop = "\n".join(line.removeprefix("    ") for line in rest.removesuffix("\n\n\nmain()\n").split("\n")) + "\n"
    cells = ["# words", head, loop]
    path = tmp_path / "nb.ipynb"
    uris = [uri(path).replace("file:", "vscode-notebook-cell:") + f"#W{n}" for n in range(3)]
    kinds = [1, 2, 2]
    editor.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": uri(path),
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [{"kind": kind, "document": u} for kind, u in zip(kinds, uris, strict=True)],
            },
            "cellTextDocuments": [
                {"uri": u, "languageId": "python", "version": 1, "text": text}
                for u, text in list(zip(uris, cells, strict=True))[1:]
            ],
        },
    )
    first, second = (Text(u, text, editor.encoding) for u, text in list(zip(uris, cells, strict=True))[1:])
    (lens,) = wait_for(lambda: lenses(editor, second))
    assert lens["range"]["start"] == second.find("for images")
    (hint,) = hints(editor, first)
    assert first.offset(hint["position"]) == first.text.index(RELU) + len(RELU)
    assert "batch_size, line 6" in hovered(editor, first, "batch_size = 64", 2)
    assert "cell 1, line 17" in hovered(editor, first, "batch_size = 64", 2)
    new = second.text.replace("optimizer.zero_grad()", "optimizer.zero_grad(set_to_none=True)")
    editor.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": uri(path), "version": 2},
            "change": {
                "cells": {"textContent": [{"document": {"uri": second.uri, "version": 2}, "changes": [{"text": new}]}]}
            },
        },
    )
    assert lenses(editor, second) == [lens], "the edit is behind the lens"


def test_what_is_not_known_is_named_and_makes_the_figure_a_lower_bound(start: StartEditor, tmp_path: Path) -> None:
    editor = start("emacs-eglot-1.9")
    text = TRAIN.replace("model(images)", "strange(model(images))").replace(
        "from torch import", "from odd import strange\nfrom torch import"
    )
    document = opened(editor, tmp_path / "train.py", text)
    (lens,) = lenses(editor, document)
    assert lens["command"]["title"].startswith("≥ ")
    hover = hovered(editor, document, "batch_size = 64", 2)
    assert "64 → peak at least" in hover
    assert "not counted: line 31: what odd.strange does is not known" in hover


LARGE = TRAIN.replace("batch_size = 64", "batch_size = 4096")


def bs001(editor: Editor, document: Text) -> list[dict[str, Any]]:
    return [item for item in editor.diagnostics(document) if item["code"] == "BS001"]


@pytest.mark.parametrize("name", ["vscode-1.139", "emacs-eglot-1.9"])
def test_a_batch_that_does_not_fit_is_underlined(start: StartEditor, tmp_path: Path, name: str) -> None:
    """The finding comes behind the others and moves with edits until the memory is known again."""
    editor = start(name, settings={"gpuMemory": "3GiB"}, initializationOptions={"gpuMemory": "3GiB"})
    document = editor.open(tmp_path / "train.py", LARGE)
    (item,) = wait_for(lambda: bs001(editor, document))
    assert document.slice(item["range"]) == "4096"
    assert "the largest batch that fits is" in item["message"]
    editor.change(document, 0, 0, "# a note\n")
    (moved,) = bs001(editor, document)
    assert document.slice(moved["range"]) == "4096"
    fixes = [action for action in editor.actions(document, moved["range"]) if "learning rate" in action["title"]]
    (edits,) = edits_of(fixes[0]).values()
    mended = document.applied(edits)
    batch = int(re.search(r"batch_size = (\d+)", mended)[1])  # type: ignore[index]
    assert batch < 4096
    assert f"lr={0.1 * batch / 4096:.4g}," in mended
    editor.set(document, mended)
    assert wait_for(lambda: not bs001(editor, document))
    assert "Largest on 3 GiB: " in hovered(editor, document, "batch_size = ", 2)


@pytest.mark.parametrize("comment", ["ignore", "ignore[BS001]"])
def test_a_suppression_is_unused_only_when_the_memory_is_known(
    start: StartEditor, tmp_path: Path, comment: str
) -> None:
    """`trainlint check` and the editor agree on a line where only the rule about memory has something to say."""
    gpu = {"gpuMemory": "3GiB"}
    editor = start("vscode-1.139", settings=gpu, initializationOptions=gpu)
    document = editor.open(tmp_path / "train.py", LARGE.replace("= 4096", f"= 4096  # trainlint: {comment}"))
    wait_for(lambda: lenses(editor, document))

    def unused() -> list[dict[str, Any]]:
        return [item for item in editor.diagnostics(document) if item["code"] == "TR001"]

    assert unused() == bs001(editor, document) == []
    editor.replace(document, "4096", "2")
    (item,) = wait_for(unused)
    assert document.slice(item["range"]) == f"# trainlint: {comment}"
    editor.replace(document, "= 2 ", "= 4096 ")
    assert wait_for(lambda: not unused()) is True


def test_a_gpu_that_is_not_known_is_told_of_once(start: StartEditor, tmp_path: Path) -> None:
    editor = start("vscode-1.139", settings={"gpu": "RTX 9090"})
    editor.open(tmp_path / "train.py", TRAIN)
    assert editor.until(lambda: editor.shown)
    time.sleep(0.5)
    (message,) = editor.shown
    assert "trainlint.gpu must be a GPU that `trainlint gpus` lists, not 'RTX 9090'; did you mean RTX 5090" in message


def test_a_gpu_that_is_not_known_in_the_configuration_is_told_of(start: StartEditor, tmp_path: Path) -> None:
    (tmp_path / "trainlint.toml").write_text('gpu = "RTX 9090"\n')
    editor = start("emacs-eglot-1.9")
    editor.open(tmp_path / "train.py", TRAIN)
    assert editor.until(lambda: editor.shown)
    assert "'gpu' must be a GPU that `trainlint gpus` lists, not 'RTX 9090'" in editor.shown[0]
