"""The server's own documents: edits, URIs, where an ignore comment goes, which edits go together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp

from trainlint.server.documents import OpenSources, Part, Source, edited
from trainlint.server.ignore_comment import ignore_insertion, word_in_ignore
from trainlint.server.positions import Body, Encoding
from trainlint.server.uris import document_key, file_path, file_uri, stand_in_path

TEXTS = st.text(alphabet="ab\u00e9\u6f22\U0001f525\n\r\x0c\u2028 ", max_size=30)
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


@given(before=TEXTS, new=TEXTS, data=st.data(), encoding=st.sampled_from(ENCODINGS))
def test_an_edit_replaces_what_its_range_names(before: str, new: str, data: st.DataObject, encoding: Encoding) -> None:
    body = Body(before)
    # a position between \\r and \\n has no name in LSP
    inside = [i for i in range(len(before) + 1) if before[max(i - 1, 0) : i + 1] != "\r\n"]
    start, end = sorted((data.draw(st.sampled_from(inside)), data.draw(st.sampled_from(inside))))
    where = lsp.Range(*(body.position(*body.lines.position(offset), encoding) for offset in (start, end)))
    change = lsp.TextDocumentContentChangePartial(range=where, text=new)
    part, (splice,) = edited(Part("u", 1, "python", body), 2, [change], encoding)
    assert part.body.text == before[:start] + new + before[end:]
    assert (splice.start, splice.end, splice.text) == (start, end, new)
    assert part.version == 2


def test_changes_of_one_message_follow_each_other() -> None:
    first = lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0)), "x\n")
    second = lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(1, 0), lsp.Position(9, 9)), "y")
    part, splices = edited(Part("u", 1, "python", Body("abc")), 2, [first, second], "utf-16")
    assert part.body.text == "x\ny"
    assert [(s.start, s.end) for s in splices] == [(0, 0), (2, 5)]
    whole = lsp.TextDocumentContentChangeWholeDocument("z")
    assert edited(part, 3, [whole], "utf-16")[0].body.text == "z"


def test_uris_and_paths() -> None:
    assert file_path("file:///a%20b/%C3%A9;x.py") == "/a b/\u00e9;x.py"
    assert file_path("file:///C%3A/project/x.py", windows=True) == "c:\\project\\x.py"
    assert file_path("file:///c:/project/x.py", windows=True) == "c:\\project\\x.py"
    assert file_path("file://server/share/x.py", windows=True) == "\\\\server\\share\\x.py"
    assert file_path("untitled:Untitled-1") is None
    assert file_path("") is None
    assert file_path(file_uri("/a b/\u00e9#;x.py")) == "/a b/\u00e9#;x.py"
    assert document_key("file:///C%3A/Work/x.py") == document_key("file:///c:/Work/x.py")
    assert document_key("file:///Work/x.py") != document_key("file:///project/x.py")
    assert stand_in_path("untitled:Untitled-1", "/w") == "/w/.trainlint-unsaved-untitled_Untitled-1.py"


def test_a_cell_is_found_through_its_notebook() -> None:
    sources = OpenSources()
    parts = [Part(f"vscode-notebook-cell:/n.ipynb#{i}", 1, "python", Body("")) for i in range(2)]
    book = Source("file:///n.ipynb", "/n.ipynb", parts, notebook=True)
    sources.add(book)
    assert sources.find("vscode-notebook-cell:/n.ipynb#1") == (book, 1)
    assert sources.remove("file:///n.ipynb") is book
    assert sources.find("vscode-notebook-cell:/n.ipynb#1") is None


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a = 1\n", 1, "a = 1  # trainlint: ignore[LR004]\n"),
        ("a = 1   \r\nb\r\n", 1, "a = 1  # trainlint: ignore[LR004]   \r\nb\r\n"),
        ("a = 1  # note\n", 1, "a = 1  # note  # trainlint: ignore[LR004]\n"),
        ("a = 1  # trainlint: ignore[image]\n", 1, "a = 1  # trainlint: ignore[image, LR004]\n"),
        ("a = 1  # trainlint: ignore[]\n", 1, "a = 1  # trainlint: ignore[LR004]\n"),
        ("a = 1  # trainlint: ignore\n", 1, None),
        ("a = 1  # trainlint: ignore[LR004]\n", 1, None),
        (
            "a = 1  # trainlint: ignore-file[IM001]\n",
            1,
            "a = 1  # trainlint: ignore-file[IM001]  # trainlint: ignore[LR004]\n",
        ),
        ("a = f(1, \\\n      2)\n", 1, "a = f(1, \\\n      2)  # trainlint: ignore[LR004]\n"),
        ("a = f('''x\n  y\n''', 3)\nb\n", 1, "a = f('''x\n  y\n''', 3)  # trainlint: ignore[LR004]\nb\n"),
        ("a = f(1,\n      2)\n", 1, "a = f(1,  # trainlint: ignore[LR004]\n      2)\n"),
        ("a = '#'", 1, "a = '#'  # trainlint: ignore[LR004]"),
    ],
)  # fmt: skip
def test_where_an_ignore_comment_goes(text: str, line: int, expected: str | None) -> None:
    body = Body(text)
    insertion = ignore_insertion(body, line, "LR004")
    if expected is None:
        assert insertion is None
    else:
        assert insertion is not None
        at = body.lines.offset(insertion.at.line, insertion.at.column)
        assert text[:at] + insertion.text + text[at:] == expected


def test_words_of_an_ignore_comment() -> None:
    body = Body("x = 1  # trainlint: ignore[LR004, bgr-into-rgb-model]\n")
    found = word_in_ignore(body, 1, body.text.index("bgr") + 3)
    assert found is not None
    assert found[0] == "bgr-into-rgb-model"
    assert body.text[found[1].column - 1 : found[1].end_column - 1] == "bgr-into-rgb-model"
    assert word_in_ignore(body, 1, 3) is None
