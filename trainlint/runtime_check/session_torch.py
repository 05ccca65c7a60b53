"""The part of a run that needs torch: which modes are on, and the report."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from . import loading, ranks
from .accelerator import REAL, Statistics
from .after_import import AfterImport
from .channel import Channel
from .converging import never_converges
from .cuda_rules import use_cuda_rules
from .findings import Findings
from .kept_graph import keeping
from .pretend import Pretend, pretend_cuda
from .quiet import quiet
from .ranks import pretend_ranks
from .stand_ins import StandIns
from .steps import Steps
from .tracker import Lines, Tracker

# seconds that a rank waits for the others; the launcher's time limit ends it sooner
WAIT = 3600


class Session:
    """Sets everything up for one run and sends what it found."""

    def __init__(self, spec: dict[str, Any], channel: Channel) -> None:
        self.spec = spec
        self.channel = channel
        self.device: str = chosen(spec["device"])
        self.rules: str = spec["rules"] or ("cpu" if self.device == "cpu" else "cuda")
        self.notes: list[str] = []
        card = self.device if self.device in REAL else None
        self.tracker = Tracker(Lines(spec["roots"]), card, spec.get("attribute", True))
        self.statistics = Statistics(self.device) if card is not None else None
        self.steps = Steps(self.tracker, spec["steps"], self.finished)
        self.fake = FakeTensorMode(allow_non_fake_inputs=True) if self.device == "fake" else None
        self.pretend = Pretend(self.tracker)
        self.started = time.process_time()
        self.findings = Findings(self.steps, self.device == "cpu")
        self.steps.on_batch = self.findings.batch
        self.steps.on_progress = lambda done: channel.send("progress", done=done, of=spec["steps"])
        self.reported = False
        self._prepare()

    def _prepare(self) -> None:
        patches = AfterImport()
        if self.statistics is not None:
            self.tracker.on_transfer = self.steps.transferred
            self.steps.on_window = self.statistics.restart
        else:
            pretend_cuda(self.tracker, self.fake is not None)
            self.pretend.on_transfer = self.steps.transferred
            pretend_ranks(self.tracker, self.fake is not None, self.note)
            if self.fake is not None:
                self.tracker.answers.fake_mode = self.fake
                never_converges()
            if self.rules == "cuda":
                use_cuda_rules(self.pretend, self.assume)
        loading.install(self.steps, self.fake, patches, self.note)
        quiet(patches, self.spec["temporary"], self.note)
        StandIns(self.note)
        self.steps.install()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.tracker.active = False

    def modes(self) -> list[Any]:
        """The modes that the program runs under, outermost first."""
        fake = [self.fake] if self.fake is not None else []
        pretend = [self.pretend] if self.statistics is None else []
        return [*fake, self.tracker, *pretend]

    def note(self, text: str) -> None:
        """Something that the person should know; the figures hold."""
        if text not in self.notes:
            self.notes.append(text)

    def assume(self, text: str) -> None:
        self.note(text)

    # ---- the end

    def finished(self) -> None:
        """Called inside the last step: report, and end the process at once.

        Where the graph of an earlier step lives, one more step shows whether it stays; the figures are those of before.
        """
        if self.reported:
            before = len(self.findings.found)
            self.findings.graph_kept()
            self.channel.send("findings", findings=self.findings.found[before:])
        else:
            self.report()
            if keeping(self.steps):
                self.reported = self.tracker.active = True
                self.steps.once_more()
                return
        if ranks.count() > 1 and self.spec.get("waits"):
            # other ranks may wait for what this one has still to send; the launcher ends all
            time.sleep(WAIT)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)

    def ended(self) -> None:
        """The program came to its end before it had done all steps."""
        if self.reported:
            return
        if self.steps.steps or self.steps.backwards:
            done = self.steps.steps
            self.note(f"the program ended after {done} optimizer step{'' if done == 1 else 's'}")
            self.report()
        else:
            self.channel.send("failed", why="the program ended without a training step: no `backward()` was reached")

    def exited(self, code: int) -> None:
        if code == 0:
            self.ended()
        else:
            self.channel.send("failed", why=f"the program ended itself with exit code {code} before the step was done")

    def raised(self, error: BaseException) -> None:
        text = " ".join(str(error).split())[:300]
        name = type(error).__name__
        reached = f"after {self.steps.steps} optimizer steps"
        if isinstance(error, ModuleNotFoundError) and error.name:
            why = (
                f"the program needs the package {error.name.partition('.')[0]!r}, which {sys.executable} does not have"
            )
        else:
            why = f"the program raised {name} {reached}: {text}" if text else f"the program raised {name} {reached}"
        self.channel.send("failed", why=why)

    def report(self) -> None:
        """Send the recording: storages, events, moments; the launcher's side makes figures of them."""
        tracker = self.tracker
        tracker.active = False
        seconds = time.process_time() - self.started
        real = self.statistics.peaks() if self.statistics is not None else None
        gc.collect()
        parameters = self.steps.settle()
        self.findings.finish()
        size, from_calls = self.steps.batch_size()
        if from_calls:
            self.note("no loader gives batches: the first axis of what the model gets is taken for the batch size")
        places = [(*_cell(path), line) for path, line in tracker.lines.places]
        self.channel.send(
            "recording",
            device=self.device,
            rules=self.rules,
            torch=torch.__version__,
            places=places,
            sizes=tracker.sizes,
            lines=tracker.of_line,
            roles=tracker.roles,
            events=tracker.events,
            moments=self.steps.moments,
            shapes=tracker.shapes,
            batch=self.steps.batch_bytes,
            batch_size=size,
            parameters=parameters,
            steps=self.steps.steps,
            everything=tracker.everything,
            notes=self.notes,
            real=real,
            findings=self.findings.found,
            seconds=seconds,
            unknown=[(text, place) for text, place in tracker.guesses],
        )


def chosen(device: str) -> str:
    """The device of the run: `auto` is CUDA where there is a card, else fake tensors."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "fake"


def _cell(path: str) -> tuple[str, int | None]:
    """The file and the cell of a notebook that a compiled name stands for."""
    file, separator, cell = path.rpartition("::")
    return (file, int(cell)) if separator and cell.isdigit() else (path, None)
