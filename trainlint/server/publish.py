"""Pushing diagnostics: after a pause while the person types, at once on open and save, with their version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lsprotocol import types as lsp

from trainlint.server.checks import Checked, Checks
from trainlint.server.client import Client
from trainlint.server.diagnostics import part_diagnostics, related_diagnostics
from trainlint.server.documents import OpenSources, Source
from trainlint.server.folders import Folders
from trainlint.server.uris import document_key

logger = logging.getLogger(__name__)

TYPING_PAUSE = 0.15  # seconds without a keystroke before findings are pushed


class Publisher:
    """Pushes what the client does not pull: everything for a client that cannot pull; for one that can, only the
    cells of notebooks (few clients pull those) until the client pulls a cell itself."""

    def __init__(
        self,
        send: Callable[[lsp.PublishDiagnosticsParams], None],
        checks: Checks,
        sources: OpenSources,
        client: Client,
        folders: Folders,
    ) -> None:
        self._send = send
        self._checks = checks
        self._sources = sources
        self._client = client
        self._folders = folders
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pulled: set[str] = set()
        self._shown: dict[str, set[str]] = {}  # by source: the URIs with something pushed
        self._related: dict[str, dict[str, list[lsp.Diagnostic]]] = {}  # by URI of another file: by source

    def soon(self, source: Source, pause: float) -> None:
        """Push the findings of the source after `pause` seconds, unless asked again meanwhile."""
        if self._client.pulls and not source.notebook:
            return
        self._stop(source.key)
        loop = asyncio.get_running_loop()
        self._timers[source.key] = loop.call_later(pause, self._start, source)

    def pulled(self, uri: str) -> None:
        """The client pulls this document itself: what was pushed for it goes, and nothing is pushed again."""
        key = document_key(uri)
        if key in self._pulled:
            return
        self._pulled.add(key)
        for shown in self._shown.values():
            if uri in shown:
                shown.discard(uri)
                self._send(lsp.PublishDiagnosticsParams(uri, []))

    def closed(self, source: Source) -> None:
        """Take back everything that was pushed for the source."""
        self._stop(source.key)
        self._pulled -= {document_key(part.uri) for part in source.parts}
        for uri in sorted(self._shown.pop(source.key, ())):
            self._send(lsp.PublishDiagnosticsParams(uri, []))
        self._push_related(source.key, {})

    def removed(self, source: Source, uri: str) -> None:
        """A cell was deleted or is no Python any more."""
        shown = self._shown.get(source.key, set())
        if uri in shown:
            shown.discard(uri)
            self._send(lsp.PublishDiagnosticsParams(uri, []))

    def push_related(self, checked: Checked) -> None:
        """Show findings in other files that are not open themselves (a configuration file that training reads)."""
        if self._client.related_documents and self._client.pulls:
            return
        self._push_related(
            checked.snapshot.key,
            related_diagnostics(checked, self._sources, self._client, self._folders.of(checked.snapshot.path)),
        )

    def _stop(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    def _start(self, source: Source) -> None:
        self._timers.pop(source.key, None)
        self._tasks[source.key] = asyncio.ensure_future(self._push(source))

    async def _push(self, source: Source) -> None:
        try:
            checked = await self._checks.current(source)
            if checked is None or checked.snapshot.revision != source.revision:
                return
            for index, part in enumerate(checked.snapshot.parts):
                if not part.is_python or (self._client.pulls and document_key(part.uri) in self._pulled):
                    continue
                items = part_diagnostics(checked, index, self._sources, self._client, self._folders.of(source.path))
                self._shown.setdefault(source.key, set()).add(part.uri)
                self._send(lsp.PublishDiagnosticsParams(part.uri, items, part.version))
            self.push_related(checked)
        except Exception:
            logger.exception("pushing the findings of %s failed", source.uri)

    def _push_related(self, origin: str, found: dict[str, list[lsp.Diagnostic]]) -> None:
        for uri in sorted({*found, *self._related}):
            if self._sources.find(uri) is not None:
                continue
            by_source = self._related.setdefault(uri, {})
            old, new = by_source.pop(origin, []), found.get(uri, [])
            if new:
                by_source[origin] = new
            if old != new:
                items = [item for items in by_source.values() for item in items]
                self._send(lsp.PublishDiagnosticsParams(uri, items))
            if not by_source:
                del self._related[uri]
