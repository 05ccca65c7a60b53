"""Files whose findings depend on a text that is open in another editor tab: they are found anew when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trainlint.server.checks import Checks
from trainlint.server.documents import Source
from trainlint.server.publish import TYPING_PAUSE


class Readers:
    """Has the readers of a changed text checked again: a script or notebook that imports the module being edited."""

    def __init__(self, checks: Checks, renew: Callable[[Source], None], pull: Callable[[], None]) -> None:
        """`renew` has a source checked after a pause; `pull` asks the client to pull what it shows."""
        self._checks = checks
        self._renew = renew
        self._pull = pull
        self._timer: asyncio.TimerHandle | None = None

    def edited(self, source: Source) -> None:
        self._renew_all(self._checks.readers(source))

    def exchanged(self, source: Source) -> None:
        """The text in the editor counts from now on, or no longer: that of the disk may be another."""
        readers = self._checks.readers(source)
        for reader in readers:
            self._checks.forget(reader)
        self._renew_all(readers)

    def _renew_all(self, readers: list[Source]) -> None:
        for reader in readers:
            self._renew(reader)
        if readers:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(TYPING_PAUSE, self._pull)
