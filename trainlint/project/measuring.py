"""Starting the runtime check, listening to it, stopping it. It is a process of its own; nothing of it is imported.

The program runs in a process group of its own: cancelling kills the group, so that loader workers go too. When this
process dies, however it dies, the pipe it holds closes and the group ends itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Literal, TypeAlias

Device: TypeAlias = Literal["auto", "cuda", "mps", "xpu", "cpu", "fake"]
Rules: TypeAlias = Literal["cuda", "cpu"]
Message: TypeAlias = dict[str, Any]

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runtime_check")
# seconds that a process group has between being asked and being killed
GRACE = 2.0
# the most that one message may be, so that a confused process cannot fill the memory
LONGEST_MESSAGE = 1 << 30
# trackers and plots stay at home
ENVIRONMENT = {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "COMET_MODE": "DISABLED",
    "NEPTUNE_MODE": "debug",
    "CLEARML_OFFLINE_MODE": "1",
    "MPLBACKEND": "Agg",
}


@dataclass(slots=True)
class Job:
    """What to run. `target` is {"kind": "script", "path"}, {"kind": "module", "name"} or a notebook with its cells.

    A script may bring its text as "source": what an editor shows may not be saved.
    """

    target: Mapping[str, Any]
    roots: list[str]
    arguments: list[str] = field(default_factory=list)
    device: Device = "auto"
    rules: Rules | None = None
    steps: int = 2
    # seconds, of the whole run
    timeout: float = 300.0
    # bytes of private memory
    memory_limit: int | None = None
    python: str = sys.executable
    # the folder that the program runs in; None is that of this process
    folder: str | None = None
    # what it finds in its environment beside that of this process
    environment: Mapping[str, str] = field(default_factory=dict)
    # False leaves the lines out; only for measuring what they cost
    attribute: bool = True


@dataclass(slots=True)
class Outcome:
    """How a run ended. `recording` is there when the step was measured; else `why` says what happened."""

    recording: Message | None
    why: str
    # the exit code of the process; negative for a signal
    code: int | None
    messages: list[Message] = field(default_factory=list)


class Run:
    """One run. `wait` returns when it is over; `cancel` may be called from another thread at any time."""

    def __init__(self, job: Job, on_message: Callable[[Message], None] | None = None) -> None:
        self.job = job
        self.on_message = on_message
        self._cancelled = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def group(self) -> int | None:
        """The number of the process group, once it was started."""
        return self._process.pid if self._process is not None else None

    def cancel(self) -> None:
        """Stop the run; `wait` then says that it was cancelled."""
        self._cancelled.set()

    def wait(self, stdout: int | IO[bytes] | None = None, stderr: int | IO[bytes] | None = None) -> Outcome:
        """Run to the end. `stdout` and `stderr` are what the program's own go to; None passes them through."""
        temporary = tempfile.mkdtemp(prefix="trainlint-measure-")
        try:
            return self._run(temporary, stdout, stderr)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _run(self, temporary: str, stdout: int | IO[bytes] | None, stderr: int | IO[bytes] | None) -> Outcome:
        report, theirs = os.pipe()
        alive, ours = os.pipe()
        try:
            path = self._specify(temporary, theirs, alive)
            self._process = subprocess.Popen(
                [self.job.python, FOLDER, path],
                stdin=subprocess.DEVNULL,
                cwd=self.job.folder,
                stdout=stdout,
                stderr=stderr,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    **self.job.environment,
                    "WANDB_DIR": temporary,
                    "MLFLOW_TRACKING_URI": temporary,
                },
                **_group(theirs, alive),
            )
        except OSError as error:
            os.close(report)
            os.close(ours)
            return Outcome(None, f"{self.job.python} cannot be started: {error.strerror}", None)
        finally:
            os.close(theirs)
            os.close(alive)
        try:
            return self._listen(self._process, report)
        finally:
            kill_group(self._process)
            os.close(ours)
            os.close(report)

    def _specify(self, temporary: str, report: int, alive: int) -> str:
        job = self.job
        spec = {
            "target": job.target,
            "roots": job.roots,
            "arguments": job.arguments,
            "device": job.device,
            "rules": job.rules,
            "steps": job.steps,
            "memory_limit": job.memory_limit,
            "attribute": job.attribute,
            "waits": "WORLD_SIZE" in job.environment,
            "temporary": temporary,
            "report": _handle(report),
            "alive": _handle(alive),
        }
        path = os.path.join(temporary, "specification.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(spec, file)
        return path

    def _listen(self, process: subprocess.Popen[bytes], report: int) -> Outcome:
        """Read messages until the process is over, the time is, or somebody cancels."""
        outcome = Outcome(None, "", None)
        lines = _Lines(report)
        end = time.monotonic() + self.job.timeout
        while True:
            over = process.poll() is not None
            for line in lines.read(0.0 if over else 0.1):
                self._message(line, outcome)
            if over:
                break
            if self._cancelled.is_set():
                outcome.why = outcome.why or "cancelled"
                break
            if time.monotonic() > end:
                outcome.why = f"no step was done within the time limit of {self.job.timeout:g} s (see --timeout)"
                break
        outcome.code = process.poll()
        if outcome.recording is None and not outcome.why:
            outcome.why = _ended(outcome.code)
        return outcome

    def _message(self, line: bytes, outcome: Outcome) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if message.get("type") == "findings" and outcome.recording is not None:
            # what one more step has shown
            outcome.recording["findings"] = [*outcome.recording.get("findings", ()), *message["findings"]]
        if message.get("type") == "recording":
            outcome.recording = message
        elif message.get("type") == "failed":
            outcome.why = str(message.get("why"))
        outcome.messages.append(message)
        if self.on_message is not None:
            self.on_message(message)


class _Lines:
    """Whole lines from a descriptor that others may hold open: read while there is some, not to its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = bytearray()
        self._thread: _Reader | None = _Reader(descriptor) if os.name == "nt" else None

    def read(self, wait: float) -> list[bytes]:
        """Lines that are there, or come within `wait` seconds."""
        while True:
            piece = self._piece(wait)
            if not piece or len(self._rest) > LONGEST_MESSAGE:
                break
            self._rest += piece
            wait = 0.0
        if b"\n" not in self._rest:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return lines

    def _piece(self, wait: float) -> bytes:
        if self._thread is not None:
            return self._thread.piece(wait)
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            if not selector.select(wait):
                return b""
        piece = os.read(self._descriptor, 1 << 16)
        if not piece and wait:
            # all other ends are closed: the process is about to be over
            time.sleep(min(wait, 0.02))
        return piece


class _Reader:
    """Reads a pipe in a thread, for Windows, where pipes cannot be waited for."""

    def __init__(self, descriptor: int) -> None:
        import queue

        self._queue: queue.Queue[bytes] = queue.Queue()
        self._empty = queue.Empty
        threading.Thread(target=self._run, args=(descriptor,), daemon=True).start()

    def _run(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(descriptor, 1 << 16):
                self._queue.put(piece)

    def piece(self, wait: float) -> bytes:
        try:
            return self._queue.get(timeout=max(wait, 0.01))
        except self._empty:
            return b""


def _handle(descriptor: int) -> int:
    """What the child knows a descriptor by."""
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(descriptor)
        os.set_handle_inheritable(handle, True)
        return handle
    return descriptor


def _group(*descriptors: int) -> dict[str, Any]:
    """Options of Popen: a process group of its own, and the descriptors handed over."""
    if sys.platform == "win32":
        startup = subprocess.STARTUPINFO()
        startup.lpAttributeList = {"handle_list": [_handle(each) for each in descriptors]}
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP, "startupinfo": startup, "close_fds": True}
    return {"start_new_session": True, "pass_fds": descriptors}


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started: ask, wait, kill. The leader is waited for, so its number stays ours."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
        process.wait()
        return
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    # the leader may be gone while others of its group live
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ended(code: int | None) -> str:
    """What an exit code says about a process that reported nothing."""
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        more = ", as when memory runs out" if name == "SIGKILL" else ""
        return f"the program was ended by {name}{more}"
    return f"the program ended with exit code {code} and reported nothing"
