"""The progress of a measuring run, on the client's token or on one of our own, with Cancel."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lsprotocol import types as lsp

logger = logging.getLogger(__name__)

_TOKENS = itertools.count(1)
# percent
IMPORTED, TRAINING, DONE = 20, 40, 95


class Progress:
    """`token` is the client's, None for one of our own where the client shows such."""

    def __init__(self, server: Any, token: str | int | None, shows: bool) -> None:
        self._server = server
        self._token = token
        self._shows = shows
        self._begun = False

    async def begin(self, title: str, cancel: Callable[[], None]) -> None:
        """Show it; `cancel` is called when the person presses Cancel."""
        progress = self._server.work_done_progress
        if self._token is None:
            if not self._shows:
                return
            token = f"trainlint-measuring-{next(_TOKENS)}"
            try:
                await progress.create_async(token)
            except Exception as error:
                logger.info("the client shows no progress: %s", error)
                return
            self._token = token
        self._begun = True
        text = "starting the interpreter and importing torch"
        progress.begin(self._token, lsp.WorkDoneProgressBegin(title, cancellable=True, message=text, percentage=0))
        pressed = progress.tokens.get(self._token)
        if pressed is not None:
            pressed.add_done_callback(lambda future: cancel() if future.cancelled() else None)

    def told(self, message: Mapping[str, Any]) -> None:
        """A message of the runtime check."""
        kind = message.get("type")
        if kind == "started":
            self._report(f"torch {message.get('torch')}: running up to the training loop", IMPORTED)
        elif kind == "progress":
            done, of = int(message.get("done", 0)), max(int(message.get("of", 1)), 1)
            share = TRAINING + (DONE - TRAINING) * min(done, of) // of
            self._report(f"step {min(done + 1, of)}/{of}", share)

    def evaluating(self) -> None:
        self._report("laying the figures beside the estimate", DONE)

    def _report(self, text: str, percentage: int) -> None:
        if self._begun:
            value = lsp.WorkDoneProgressReport(message=text, percentage=percentage, cancellable=True)
            self._server.work_done_progress.report(self._token, value)

    def end(self) -> None:
        if self._begun:
            self._begun = False
            self._server.work_done_progress.end(self._token, lsp.WorkDoneProgressEnd())
            # pygls never forgets a token
            self._server.work_done_progress.tokens.pop(self._token, None)
