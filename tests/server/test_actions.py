"""Code actions: fixes, ignoring on the line, all safe fixes at once."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from editor import Editor, Text, codes, edits_of
from training_scripts import BAD, COMMITTED, PLANTED, SMALL


def item_of(editor: Editor, document: Text, code: str) -> dict:
    items = editor.diagnostics(document, lambda found: code in found)
    return next(item for item in items if item["code"] == code)


def whole(document: Text) -> dict:
    return {"start": {"line": 0, "character": 0}, "end": document.position(len(document.text))}


def test_a_quick_fix_mends_its_finding(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    item = item_of(editor, document, "IM001")
    fixes = [a for a in editor.actions(document, item["range"], ["quickfix"]) if not a["title"].startswith("Ignore")]
    assert [action["diagnostics"][0]["code"] for action in fixes] == ["IM001"] * len(fixes)
    (uri,) = edits_of(fixes[0])
    assert uri == document.uri
    editor.set(document, document.applied(edits_of(fixes[0])[uri]))
    ast.parse(document.text)
    assert "COLOR_BGR2RGB" in document.text
    assert "IM001" not in codes(editor.diagnostics(document, lambda found: "IM001" not in found))


def test_edits_come_in_the_form_that_the_editor_knows(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    action = editor.actions(document, item_of(editor, document, "IM001")["range"], ["quickfix"])[0]
    workspace = editor.start_params["capabilities"]["workspace"]
    if workspace["workspaceEdit"].get("documentChanges"):
        assert action["edit"]["documentChanges"][0]["textDocument"] == {"uri": document.uri, "version": 1}
    else:
        assert list(action["edit"]["changes"]) == [document.uri]
    kinds = editor.start_params["capabilities"]["textDocument"]["codeAction"]
    assert ("isPreferred" in action) == bool(kinds.get("isPreferredSupport"))


def test_ignore_on_this_line(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "small.py", SMALL)
    actions = editor.actions(document, item_of(editor, document, "LR004")["range"])
    action = next(action for action in actions if action["title"] == "Ignore LR004 on this line")
    editor.set(document, document.applied(edits_of(action)[document.uri]))
    assert document.text.endswith("lr=0.5)  # trainlint: ignore[LR004]\n")
    assert editor.diagnostics(document, lambda found: not found) == []


def test_the_action_that_ignores_can_be_switched_off(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139", initializationOptions={"codeAction": {"ignoreComment": False}})
    document = editor.open(tmp_path / "small.py", SMALL)
    where = editor.diagnostics(document, lambda found: "LR004" in found)[0]["range"]
    assert not [action for action in editor.actions(document, where) if action["title"].startswith("Ignore")]


def test_ignore_joins_a_comment_that_is_there(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    text = SMALL.replace("lr=0.5)", "lr=0.5)  # tuned  # trainlint: ignore[IM001]")
    document = editor.open(tmp_path / "small.py", text)
    actions = editor.actions(document, item_of(editor, document, "LR004")["range"], ["quickfix"])
    action = next(action for action in actions if action["title"] == "Ignore LR004 on this line")
    assert document.applied(edits_of(action)[document.uri]).endswith("# tuned  # trainlint: ignore[IM001, LR004]\n")


def test_fix_all_applies_safe_fixes_only(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    assert codes(editor.diagnostics(document, lambda found: found >= PLANTED)) >= PLANTED
    for only in (["source.fixAll.trainlint"], ["source.fixAll"], ["source"]):
        (action,) = editor.actions(document, whole(document), only)
        assert action["kind"] == "source.fixAll.trainlint"
        new = document.applied(edits_of(editor.resolved(action))[document.uri])
        ast.parse(new)
        assert "COLOR_BGR2RGB" in new
        assert "lr=0.5" in new, "a learning rate is not changed without being asked"


@pytest.mark.parametrize("name", ["vscode-1.139", "neovim-0.11"])
def test_fix_all_is_that_of_the_text_when_it_is_applied(
    start: Callable[..., Editor], tmp_path: Path, name: str
) -> None:
    editor = start(name)
    document = editor.open(tmp_path / "bad.py", BAD)
    item = item_of(editor, document, "IM001")
    (all_fixes,) = editor.actions(document, whole(document), ["source.fixAll"])
    assert "edit" not in all_fixes
    quick = editor.actions(document, item["range"], ["quickfix"])[0]
    editor.set(document, "# a line that was not there\n" + document.applied(edits_of(quick)[document.uri]))
    edit = edits_of(editor.resolved(all_fixes))[document.uri]
    editor.set(document, document.applied(edit))
    ast.parse(document.text)
    assert document.text.count("COLOR_BGR2RGB") == 1
    assert editor.actions(document, whole(document), ["source.fixAll"]) == []


def test_titles_begin_as_sentences_do(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "bad.py", BAD)
    editor.diagnostics(document, lambda found: found >= PLANTED)
    titles = [action["title"] for action in editor.actions(document, whole(document), ["quickfix"])]
    assert titles
    assert all(title[0].isupper() or title[0] == "`" for title in titles), titles


def test_no_action_where_nothing_is_found(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    assert editor.diagnostics(document, lambda found: found >= PLANTED)
    place = document.find("def __len__")
    point = {"start": place, "end": place}
    assert editor.actions(document, point) == []
    assert editor.actions(document, point, ["quickfix"]) == []
    assert editor.actions(document, whole(document), ["refactor"]) == []


def test_the_learning_rate_follows_the_batch_by_one_key(committed: Path, start: Callable[..., Editor]) -> None:
    editor = start("neovim-0.11")
    document = editor.open(committed, COMMITTED)
    editor.replace(document, "batch_size = 32", "batch_size = 256")
    actions = editor.actions(document, item_of(editor, document, "LR001")["range"], ["quickfix"])
    texts = [document.applied(edits_of(action)[document.uri]) for action in actions]
    assert any("\nlr = 0.8\n" in text for text in texts)


@pytest.mark.parametrize("editor_name", ["vscode-1.139", "neovim-0.11"])
def test_a_fix_in_another_file_names_it(start: Callable[..., Editor], tmp_path: Path, editor_name: str) -> None:
    """Two places of one action lie under two URIs, with the open one spelled as the editor spelled it."""
    from trainlint.rules.finding import Edit, Finding, Fix
    from trainlint.server.actions import Actions
    from trainlint.server.checks import Checked
    from trainlint.server.client import Client
    from trainlint.server.documents import OpenSources, Part, Source
    from trainlint.server.positions import Body
    from trainlint.server.settings import Settings
    from trainlint.text.place import Span

    config = tmp_path / "config.yaml"
    config.write_text("# \u6f22\nlr: 0.1\n")
    spelled = "file://" + str(tmp_path / "train.py").replace("t", "%74")
    source = Source(spelled, str(tmp_path / "train.py"), [Part(spelled, 3, "python", Body("x = 1\n"))], notebook=False)
    edits = (
        Edit(source.path, Span(1, 5, 1, 6), "2"),
        Edit(str(config), Span(2, 5, 2, 8), "0.8"),
    )
    place = Span(1, 1, 1, 2)
    fix = Fix("both", "safe", edits)
    finding = Finding("LR001", "x", "learning-rate", "warning", "proved", "m", source.path, place, (), (fix,))
    checked = Checked(source.snapshot(), 0, (finding,))
    client = Client(document_changes=editor_name == "vscode-1.139")
    action = Actions(checked, OpenSources(), client, Settings()).at(0, Body("x = 1\n").range(place, "utf-16"), None)[0]
    assert action.edit is not None
    if client.document_changes:
        named = {c.text_document.uri: c.text_document.version for c in action.edit.document_changes or ()}
        assert named == {spelled: 3, config.as_uri(): None}
    else:
        assert set(action.edit.changes or {}) == {spelled, config.as_uri()}
