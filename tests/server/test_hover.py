"""Hovers: values, and the pages of rules that an ignore comment names."""

from __future__ import annotations

from pathlib import Path

from editor import Editor
from training_scripts import COMMITTED, SMALL

from trainlint.server.hover import rule_page
from trainlint.server.markdown import plain


def test_a_value_says_what_is_known(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "train.py", COMMITTED)
    hover = editor.hover(document, document.find("batch_size = 32", 2))
    assert hover is not None
    assert "32" in hover["contents"]["value"]
    assert document.slice(hover["range"]) == "batch_size"


MODEL = """import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

batch_size = 64
data = datasets.CIFAR10("data", transform=transforms.ToTensor())
loader = DataLoader(data, batch_size=batch_size)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 10))
for images, labels in loader:
    scores = model(images)
"""


def hovered(editor: Editor, folder: Path, at: str, offset: int = 1) -> str:
    """The text of the hover, without the marks of Markdown where the editor gets them."""
    document = editor.open(folder / "net.py", MODEL)
    hover = editor.hover(document, document.find(at, offset))
    assert hover is not None
    kind, value = hover["contents"]["kind"], hover["contents"]["value"]
    editor.close(document)
    return plain(value) if kind == "markdown" else value


def test_a_tensor_is_shown_with_its_axes_and_where_it_comes_from(editor: Editor, tmp_path: Path) -> None:
    value = hovered(editor, tmp_path, "images, labels")
    assert value.startswith('Float32[Tensor, "B 3 32 32"] · NCHW · RGB · 0–1 · no graph\n')
    assert "- B = 64 (batch_size, line 6)" in value
    assert "- line 7: RGB, from CIFAR10\n- line 7: ToTensor: CHW" in value


def test_a_module_is_shown_as_a_table(editor: Editor, tmp_path: Path) -> None:
    value = hovered(editor, tmp_path, "model(images)")
    assert value.startswith("Sequential · 72,234 parameters (all trained) · 282 KiB float32\n")
    rows = [line.split("  ") for line in value.splitlines() if line[:1] in "0123" and line[1:2] == " "]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells == [
        ["0", "Conv2d(3, 8, 3)", "B 8 30 30", "224"],
        ["1", "ReLU", "B 8 30 30"],
        ["2", "Flatten", "B 7200"],
        ["3", "Linear(7200, 10)", "B 10", "72,010"],
    ]


def test_a_loader_is_shown_with_its_batches(editor: Editor, tmp_path: Path) -> None:
    value = hovered(editor, tmp_path, "loader:")
    assert "DataLoader · batch 64 (batch_size, line 6) · 782 batches an epoch" in value
    assert 'Int64[Tensor, "B"] · labels 0–9' in value


def test_text_of_the_user_makes_no_markup(editor: Editor, tmp_path: Path) -> None:
    text = "from torch import nn\nm = nn.ModuleDict({'<img src=x>|[a](b)': nn.ReLU(), '``': nn.ReLU()})\nm\n"
    text += "s = '`<b>`'\n"
    document = editor.open(tmp_path / "odd.py", text)
    table = editor.hover(document, document.find("m\ns"))
    word = editor.hover(document, document.find("'`<b>`'", 2))
    assert table is not None
    assert word is not None
    if table["contents"]["kind"] == "markdown":
        assert r"| \<img src=x\>\|\[a\](b) | ReLU |" in table["contents"]["value"]
        assert word["contents"]["value"].startswith("``'`<b>`'``")


def test_a_code_in_an_ignore_comment_shows_its_page(editor: Editor, tmp_path: Path) -> None:
    text = SMALL.replace("lr=0.5)", "lr=0.5)  # trainlint: ignore[LR004, image]")
    document = editor.open(tmp_path / "small.py", text)
    hover = editor.hover(document, document.find("LR004", 2))
    assert hover is not None
    assert document.slice(hover["range"]) == "LR004"
    value = hover["contents"]["value"]
    assert "https://" in value
    if editor.name == "emacs-eglot-1.9":
        assert hover["contents"]["kind"] == "plaintext"
        assert value.startswith("LR004 ")
    else:
        assert hover["contents"]["kind"] == "markdown"
        assert value.startswith("**LR004**")
    family = editor.hover(document, document.find("image]", 2))
    assert family is not None
    assert "IM001" in family["contents"]["value"]


def test_nothing_is_said_about_nothing(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "small.py", "\n\n" + SMALL)
    assert editor.hover(document, {"line": 0, "character": 0}) is None
    assert editor.hover(document, {"line": 900, "character": 7}) is None


def test_pages_of_codes_ids_and_our_own_findings() -> None:
    page = rule_page("LR004")
    assert page is not None
    assert page == rule_page(page.split("`")[1])
    assert "unused" in (rule_page("TR001") or "")
    assert rule_page("no-such-rule") is None


def test_plain_text_of_markdown() -> None:
    table = (
        "## Memory\n\n| part | size |\n|---|--:|\n| **weights** | 4 MiB |\n| `grad` | 12 MiB |\n\n[more](https://x.org)"
    )
    assert plain(table) == "Memory\n\npart     size\nweights  4 MiB\ngrad     12 MiB\n\nmore (https://x.org)"
    assert plain("a\n```python\nx = **y\n```\nb") == "a\nx = **y\nb"
    assert plain("`x_1` and snake_case_name and *this*") == "x_1 and snake_case_name and this"


def test_escaped_text_is_shown_as_it_was() -> None:
    assert plain(r"\[x\]\(y\) \<img\> \`a\` \*b\* \\ \|") == "[x](y) <img> `a` *b* \\ |"
