"""Findings as LSP diagnostics: ranges in the client's units, places in other files and cells by their URIs."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from functools import lru_cache

from lsprotocol import types as lsp

from trainlint.rules.finding import Finding, Level, Related
from trainlint.server.checks import Checked
from trainlint.server.client import Client
from trainlint.server.documents import OpenSources, Part
from trainlint.server.positions import Body
from trainlint.server.settings import Settings
from trainlint.server.uris import file_uri
from trainlint.text.place import Span

logger = logging.getLogger(__name__)

_SEVERITY: dict[Level, lsp.DiagnosticSeverity] = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "info": lsp.DiagnosticSeverity.Information,
    "hint": lsp.DiagnosticSeverity.Hint,
}
# What lies under these findings may go without a change of behaviour: editors grey it out.
_UNNECESSARY = frozenset({"TR001"})
_IN_CELL = re.compile(r"\(in cell (\d+)\)$")
_LARGEST_READ = 4_000_000  # bytes of another file that we read only to convert a column


class Places:
    """Where a path (and cell) of a finding lies for the client: its URI, its text and its version."""

    def __init__(self, checked: Checked, sources: OpenSources) -> None:
        self._checked = checked
        self._sources = sources

    def part(self, path: str, cell: int | None) -> Part | None:
        """The part of the text that was checked, another open text, or a file of the disk; None if unreadable."""
        snapshot = self._checked.snapshot
        if path == snapshot.path:
            index = cell if snapshot.notebook else 0
            return snapshot.parts[index] if index is not None and 0 <= index < len(snapshot.parts) else None
        source = self._sources.by_path(path)
        if source is not None:
            return source.parts[0] if not source.notebook else None
        body = _from_disk(path, _stamp(path))
        return None if body is None else Part(file_uri(path), None, "", body)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _from_disk(path: str, stamp: tuple[int, int] | None) -> Body | None:
    if stamp is None or stamp[1] > _LARGEST_READ:
        return None
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            return Body(file.read())
    except OSError as error:
        logger.info("%s: %s", path, error)
        return None


def diagnostic(finding: Finding, part: Part, places: Places, client: Client, settings: Settings) -> lsp.Diagnostic:
    related = None
    if client.related_information and finding.related:
        related = [
            lsp.DiagnosticRelatedInformation(
                lsp.Location(there.uri, there.body.range(place.span, client.encoding)), place.message
            )
            for place in finding.related
            if (there := places.part(place.path, _cell(place, finding.cell))) is not None
        ]
    return lsp.Diagnostic(
        range=_visible(finding.span, part.body, client),
        message=finding.message,
        severity=_SEVERITY[settings.shown_level(finding)],
        code=finding.code,
        code_description=lsp.CodeDescription(finding.url) if finding.url else None,
        source="trainlint",
        tags=[lsp.DiagnosticTag.Unnecessary] if client.unnecessary_tag and finding.code in _UNNECESSARY else None,
        related_information=related or None,
        data={
            "code": finding.code,
            "id": finding.id,
            "certainty": finding.certainty,
            "fixes": [{"title": fix.title, "safety": fix.safety} for fix in finding.fixes],
        },
    )


def _cell(place: Related, cell: int | None) -> int | None:
    """The cell of a related place: `project.judge` writes it at the end of the message where it is another one."""
    other = _IN_CELL.search(place.message)
    return int(other[1]) if cell is not None and other else cell


def _visible(span: Span, body: Body, client: Client) -> lsp.Range:
    """The range of a finding; an empty one grows to one character so that an editor can underline it."""
    shown = body.range(span, client.encoding)
    if shown.start == shown.end:
        wider = body.range(Span(span.line, span.column, span.line, span.column + 1), client.encoding)
        return wider if wider.start.line == shown.start.line else shown
    return shown


def part_diagnostics(
    checked: Checked, index: int, sources: OpenSources, client: Client, settings: Settings
) -> list[lsp.Diagnostic]:
    """The diagnostics of a file, or of one cell of a notebook."""
    if not settings.enable or not checked.snapshot.parts[index].is_python:
        return []
    places, part = Places(checked, sources), checked.snapshot.parts[index]
    return [diagnostic(finding, part, places, client, settings) for finding in checked.of_part(index)]


def related_diagnostics(
    checked: Checked, sources: OpenSources, client: Client, settings: Settings
) -> dict[str, list[lsp.Diagnostic]]:
    """The diagnostics that the check of this source found in other files, by the URI of the file."""
    found: dict[str, list[lsp.Diagnostic]] = {}
    if settings.enable:
        places = Places(checked, sources)
        for finding in checked.elsewhere:
            there = places.part(finding.path, None)
            if there is not None:
                found.setdefault(there.uri, []).append(diagnostic(finding, there, places, client, settings))
    return found


def result_id(items: object) -> str:
    """The same for the same diagnostics, whatever edits led there."""
    return hashlib.blake2b(repr(items).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
