"""Findings of a measured step for a client that pulls diagnostics and cannot be told to pull again.

Nothing in its text changed, so it would not ask. They are pushed, under a source of their own, and are left out of what
it pulls.
"""

from __future__ import annotations

from collections.abc import Callable

from lsprotocol import types as lsp

from trainlint.server.checks import Checked
from trainlint.server.client import Client
from trainlint.server.diagnostics import Places, diagnostic
from trainlint.server.documents import OpenSources, Source
from trainlint.server.measured_figures import findings_of
from trainlint.server.measurements import Measurements
from trainlint.server.settings import Settings

SOURCE = "trainlint (measured)"


def needed(client: Client) -> bool:
    return client.pulls and not client.refresh_diagnostics


class MeasuredPush:
    """Keeps what is pushed equal to what was measured."""

    def __init__(
        self, send: Callable[[lsp.PublishDiagnosticsParams], None], measured: Measurements, sources: OpenSources
    ) -> None:
        self._send, self._measured, self._sources = send, measured, sources
        # by URI: what was pushed last
        self._shown: dict[str, list[lsp.Diagnostic]] = {}

    def tell(self, source: Source, client: Client, settings: Settings) -> None:
        """Push the findings of a source where they are others than before, or lie elsewhere."""
        places = Places(Checked(source.snapshot(), 0, ()), self._sources)
        found = findings_of(source, self._measured) if settings.enable else []
        for index, part in enumerate(source.parts):
            mine = [each for each in found if not source.notebook or each.cell == index]
            items = [diagnostic(each, part, places, client, settings) for each in mine]
            for item in items:
                item.source = SOURCE
            if items != self._shown.get(part.uri, []):
                self._shown[part.uri] = items
                self._send(lsp.PublishDiagnosticsParams(part.uri, items, part.version))

    def closed(self, source: Source) -> None:
        for part in source.parts:
            if self._shown.pop(part.uri, None):
                self._send(lsp.PublishDiagnosticsParams(part.uri, []))
