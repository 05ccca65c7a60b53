"""Code actions: a fix of a finding, ignoring a finding on its line, and all safe fixes of a file at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsprotocol import types as lsp

from trainlint.rules.finding import Edit, Finding
from trainlint.server.checks import Checked
from trainlint.server.client import Client
from trainlint.server.diagnostics import Places, diagnostic
from trainlint.server.documents import OpenSources, Part
from trainlint.server.ignore_comment import ignore_insertion
from trainlint.server.settings import Settings

FIX_ALL = "source.fixAll.trainlint"
NOTEBOOK_FIX_ALL = "notebook.source.fixAll.trainlint"
KINDS: tuple[str, ...] = (lsp.CodeActionKind.QuickFix.value, FIX_ALL, NOTEBOOK_FIX_ALL)


def wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Does the client's filter ask for this kind? `source` asks for `source.fixAll.trainlint` too."""
    return any(not asked or kind == asked or kind.startswith(f"{asked}.") for asked in only or ("",))


class Actions:
    """The code actions for one checked source."""

    def __init__(self, checked: Checked, sources: OpenSources, client: Client, settings: Settings) -> None:
        self._checked = checked
        self._sources = sources
        self._client = client
        self._settings = settings
        self._places = Places(checked, sources)

    def at(self, index: int, where: lsp.Range, only: Sequence[str] | None) -> list[lsp.CodeAction]:
        """The actions for the part `index` and a range of it; empty where no finding of ours lies there."""
        part = self._checked.snapshot.parts[index]
        found = self._checked.of_part(index)
        touched = [finding for finding in found if self._touches(finding, part, where)]
        actions: list[lsp.CodeAction] = []
        if wanted("quickfix", only):
            for finding in touched:
                actions += self._quick_fixes(finding, part)
            for finding in touched if self._settings.ignore_comment else ():
                actions += self._ignore(finding, part)
        # Without a filter the whole-file action is offered only where a finding is, so that other lines stay quiet.
        if wanted(FIX_ALL, only) and (only or touched):
            actions += self._fix_all(FIX_ALL, index)
        if only and wanted(NOTEBOOK_FIX_ALL, only) and self._checked.snapshot.notebook:
            actions += self._fix_all(NOTEBOOK_FIX_ALL, index)
        return actions

    def _touches(self, finding: Finding, part: Part, where: lsp.Range) -> bool:
        shown = part.body.range(finding.span, self._client.encoding)
        return _key(shown.start) <= _key(where.end) and _key(where.start) <= _key(shown.end)

    def _quick_fixes(self, finding: Finding, part: Part) -> Iterable[lsp.CodeAction]:
        shown = diagnostic(finding, part, self._places, self._client, self._settings)
        for fix in finding.fixes:
            edit = self._workspace_edit([(edit, finding.cell) for edit in fix.edits])
            if edit is None:
                continue
            preferred = fix.safety == "safe" and self._client.preferred
            yield lsp.CodeAction(
                title=_sentence(fix.title),
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[shown],
                is_preferred=preferred or None,
                edit=edit,
            )

    def _ignore(self, finding: Finding, part: Part) -> Iterable[lsp.CodeAction]:
        insertion = ignore_insertion(part.body, finding.span.line, finding.code)
        if insertion is None:
            return
        edit = self._workspace_edit([(Edit(finding.path, insertion.at, insertion.text), finding.cell)])
        if edit is not None:
            yield lsp.CodeAction(
                title=f"Ignore {finding.code} on this line",
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[diagnostic(finding, part, self._places, self._client, self._settings)],
                edit=edit,
            )

    def _fix_all(self, kind: str, index: int) -> Iterable[lsp.CodeAction]:
        """Where the client can ask for the edit when it applies it, it gets that of the text at that moment."""
        edit = self.all_fixes(kind, index)
        if edit is not None:
            title = "trainlint: apply all safe fixes"
            if self._client.resolves_edits:
                data = {"uri": self._checked.snapshot.parts[index].uri, "kind": kind}
                yield lsp.CodeAction(title=title, kind=kind, data=data)
            else:
                yield lsp.CodeAction(title=title, kind=kind, edit=edit)

    def all_fixes(self, kind: str, index: int) -> lsp.WorkspaceEdit | None:
        """The safe fixes of the part `index`, or of the whole notebook; None where there are none."""
        from trainlint.project.fixes import choose

        findings = self._checked.findings if kind == NOTEBOOK_FIX_ALL else self._checked.of_part(index)
        chosen, _ = choose(findings, unsafe=False)
        return self._workspace_edit((edit, cell) for edits in chosen.values() for cell, edit in edits)

    def _workspace_edit(self, edits: Iterable[tuple[Edit, int | None]]) -> lsp.WorkspaceEdit | None:
        """The edits by document under the client's own URIs; None where one of the texts cannot be found."""
        by_part: dict[str, tuple[Part, list[lsp.TextEdit]]] = {}
        for edit, cell in edits:
            part = self._places.part(edit.path, cell)
            if part is None:
                return None
            where = part.body.range(edit.span, self._client.encoding)
            by_part.setdefault(part.uri, (part, []))[1].append(lsp.TextEdit(where, edit.text))
        if not by_part:
            return None
        if not self._client.document_changes:
            return lsp.WorkspaceEdit(changes={uri: changes for uri, (_, changes) in by_part.items()})
        return lsp.WorkspaceEdit(
            document_changes=[
                lsp.TextDocumentEdit(lsp.OptionalVersionedTextDocumentIdentifier(uri, part.version), changes)
                for uri, (part, changes) in by_part.items()
            ]
        )


def _sentence(title: str) -> str:
    """A title as menus write it: `Convert BGR to RGB`."""
    return title[:1].upper() + title[1:]


def _key(position: lsp.Position) -> tuple[int, int]:
    return position.line, position.character
