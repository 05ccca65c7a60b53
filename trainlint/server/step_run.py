"""One run of the runtime check beside the event loop: its messages and what the program prints come to the loop.

The run itself is `project.measuring.Run`: a process group of its own, nothing on standard input, JSON lines on a
descriptor of their own. It is waited for in a daemon thread, so that it works with every event loop and never keeps
the server alive; when the server ends, the group ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainlint.project.measuring import Job, Message, Outcome

LONGEST_LINE = 2000  # characters of a line of the program's output that are logged
MOST_OUTPUT = 256 * 1024  # bytes of output that are logged; a program may print for ever


class StepRun:
    """Starts at once; `outcome` is done when the process group is over and reaped."""

    def __init__(self, job: Job, on_message: Callable[[Message], None], on_output: Callable[[str], None]) -> None:
        """Both callbacks run on the event loop; output comes in lines."""
        from trainlint.project.measuring import Run

        self._loop = asyncio.get_running_loop()
        self._on_output = on_output
        self._run = Run(job, lambda message: self._hand_over(on_message, message))
        self.outcome: asyncio.Future[Outcome] = self._loop.create_future()
        threading.Thread(target=self._wait, name="trainlint-measure", daemon=True).start()

    def cancel(self) -> None:
        """End the process group; `outcome` follows, without a recording."""
        self._run.cancel()

    def _wait(self) -> None:
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(reading,), name="trainlint-output", daemon=True).start()
        try:
            outcome = self._run.wait(stdout=writing, stderr=writing)
        except Exception as error:
            self._hand_over(self._settle, error)
        else:
            self._hand_over(self._settle, outcome)
        finally:
            os.close(writing)

    def _settle(self, outcome: Outcome | Exception) -> None:
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)

    def _read(self, descriptor: int) -> None:
        left = MOST_OUTPUT
        with contextlib.suppress(OSError), os.fdopen(descriptor, "rb") as stream:
            while line := stream.readline(LONGEST_LINE):
                if left > 0:
                    text = line.decode("utf-8", "replace").rstrip()
                    self._hand_over(self._on_output, text)
                    left -= len(line)
                    if left <= 0:
                        self._hand_over(self._on_output, "(the rest of what the program prints is left out)")

    def _hand_over(self, call: Callable[..., object], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be over
            self._loop.call_soon_threadsafe(call, value)
