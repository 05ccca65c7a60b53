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
