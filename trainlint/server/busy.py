"""Tells of an analysis that takes long, as progress that the server begins: not of a quick one, which would flicker."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types as lsp

from trainlint.server.documents import Source

logger = logging.getLogger(__name__)

# seconds before it shows
LONG = 0.5
_TOKENS = itertools.count(1)


class Busy:
    """What is shown for a source: one progress, however many requests wait for its analysis."""

    def __init__(self, server: Any) -> None:
        self._server = server
        # does the client show progress that the server begins?
        self.shows = False
        self._waiting: dict[str, int] = {}
        self._shown: dict[str, asyncio.Task[None]] = {}

    @contextmanager
    def waiting(self, source: Source) -> Iterator[None]:
        """Somebody waits for the analysis of the source inside."""
        key = source.key
        self._waiting[key] = self._waiting.get(key, 0) + 1
        if self.shows and key not in self._shown:
            self._shown[key] = asyncio.ensure_future(self._show(key, os.path.basename(source.path)))
        try:
            yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]
                shown = self._shown.pop(key, None)
                if shown is not None:
                    shown.cancel()

    async def _show(self, key: str, name: str) -> None:
        """Begin after a while; a cancellation ends it."""
        await asyncio.sleep(LONG)
        progress, token = self._server.work_done_progress, f"trainlint-analysis-{next(_TOKENS)}"
        try:
            await progress.create_async(token)
        except Exception as error:
            logger.info("the client shows no progress: %s", error)
            return
        try:
            progress.begin(token, lsp.WorkDoneProgressBegin("trainlint", message=f"analysing {name}"))
            await asyncio.Event().wait()
        finally:
            progress.end(token, lsp.WorkDoneProgressEnd())
            # pygls never forgets a token
            progress.tokens.pop(token, None)
