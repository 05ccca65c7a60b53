"""A memory snapshot of CUDA (`torch.cuda.memory._dump_snapshot`), read as a measured step.

Its form is that of `torch/cuda/_memory_viz.py`: `segments` are what the allocator holds at the end, `device_traces`
the requests and frees before, each with the frames that made it. What lived before is known by its sum only.
What a storage is for is not in it, so there are no terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainlint.memory.allocator import rounded
from trainlint.memory.figures import Figures
from trainlint.memory.recording import Measured, Sample, thinned
from trainlint.memory.timeline import Peak, Phase, Where

# folders of installed code, wherever they lie
INSTALLED = ("site-packages", "dist-packages", "lib/python3", "lib64/python3", "Lib\\")
# actions of a trace: (change of what is allocated, change of what is reserved)
CHANGES = {"alloc": (1, 0), "free_completed": (-1, 0), "segment_alloc": (0, 1), "segment_free": (0, -1)}
CHANGES |= {"segment_map": (0, 1), "segment_unmap": (0, -1)}


def measured_of(snapshot: Any, name: str) -> Measured:
    """The device with the longest trace. Raises ValueError for what is no snapshot with a history."""
    try:
        traces: Sequence[Sequence[Mapping[str, Any]]] = snapshot["device_traces"]
        device = max(range(len(traces)), key=lambda index: len(traces[index]))
        if not traces[device]:
            raise ValueError("the snapshot has no history: it was taken without `_record_memory_history`")
        segments = [each for each in snapshot["segments"] if each.get("device", 0) == device]
        replay = _Replay(segments, traces[device])
        replay.run()
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it is no memory snapshot of PyTorch: {error!r}") from error
    return replay.measured(name, device)


@dataclass(slots=True)
class _Replay:
    """Plays the trace of one device."""

    segments: list[Mapping[str, Any]]
    trace: Sequence[Mapping[str, Any]]
    peak: Peak = field(default_factory=Peak)
    reserved: int = 0
    before: int = 0
    samples: list[Sample] = field(default_factory=list)

    def run(self) -> None:
        held = sum(
            rounded(int(block.get("requested_size", block["size"])))
            for segment in self.segments
            for block in segment["blocks"]
            if str(block["state"]).startswith("active")
        )
        reserved = sum(int(segment["total_size"]) for segment in self.segments)
        for entry in self.trace:
            allocated, segment = CHANGES.get(entry["action"], (0, 0))
            held -= allocated * rounded(int(entry["size"]))
            reserved -= segment * int(entry["size"])
        # the trace is a ring buffer: frees of what was allocated before it are in it
        self.before, now = max(held, 0), max(held, 0)
        living: dict[int, tuple[int, Where]] = {}
        self.reserved = reserved
        rising = False
        for entry in self.trace:
            allocated, segment = CHANGES.get(entry["action"], (0, 0))
            size = rounded(int(entry["size"])) if allocated else 0
            reserved += segment * int(entry.get("size", 0))
            self.reserved = max(self.reserved, reserved)
            if allocated > 0:
                now += size
                living[entry["addr"]] = (size, line_of(entry["frames"]))
                if now > self.peak.allocated:
                    self.peak.allocated, self.peak.line = now, living[entry["addr"]][1]
                    self.peak.phase = phase_of(entry["frames"])
                    rising = True
            elif allocated < 0:
                if rising:
                    self._settle(living.values(), now)
                    rising = False
                now -= size
                living.pop(entry["addr"], None)
            if allocated:
                self.samples.append(Sample(0, phase_of(entry["frames"]), now, {}))
        if rising:
            self._settle(living.values(), now)

    def _settle(self, living: Iterable[tuple[int, Where]], now: int) -> None:
        self.peak.lines = {}
        for size, line in living:
            self.peak.lines[line] = self.peak.lines.get(line, 0) + size
        rest = now - sum(self.peak.lines.values())
        if rest > 0:
            self.peak.lines[None] = self.peak.lines.get(None, 0) + rest

    def measured(self, name: str, device: int) -> Measured:
        unknown: list[tuple[Where, str]] = [(None, "a snapshot does not say what a storage is for: there are no terms")]
        if self.before:
            unknown.append((None, f"{self.before} bytes lived before the history began; their lines are not known"))
        path, line = self.peak.line or (name, 1)
        figures = Figures(path, line, None, 0, {}, self.peak, self.reserved, {}, {}, unknown)
        return Measured(figures, f"cuda:{device}", "", "cuda", 0, False, thinned(self.samples))


def line_of(frames: Sequence[Mapping[str, Any]]) -> Where:
    """The innermost line of a Python file that is not installed; None where autograd's own thread allocated."""
    for frame in frames:
        file = str(frame.get("filename", ""))
        if file.endswith(".py") and not any(folder in file for folder in INSTALLED) and frame.get("line"):
            return (file, int(frame["line"]))
    return None


def phase_of(frames: Sequence[Mapping[str, Any]]) -> Phase:
    """Which part of a step the frames show."""
    for frame in frames:
        if "torch::autograd::Engine" in str(frame.get("name", "")):
            return "backward"
        if "torch/optim/" in str(frame.get("filename", "")).replace("\\", "/"):
            return "optimizer"
    return "forward"
