"""A measured step: what `runtime_check` recorded, in the terms of the static estimate.

A recording is a list of storages with sizes, lines and roles, the births and deaths of those on the card in order, and
the moments at which backward or an optimizer step began. The allocator that turns it into bytes taken and reserved is
the one that the static estimate uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from trainlint.memory.allocator import CachingAllocator
from trainlint.memory.figures import Figures
from trainlint.memory.stretch import Line
from trainlint.memory.timeline import Peak, Phase, Role, Where

# the points of the timeline that is printed
POINTS = 400


@dataclass(slots=True)
class Sample:
    """The living bytes, as taken, at one event."""

    step: int
    phase: Phase
    allocated: int
    roles: dict[Role, int]


@dataclass(frozen=True, slots=True)
class RuntimeFinding:
    """A mistake that the running step showed, RT001 and up; `where` is None where no line stands for it."""

    code: str
    id: str
    level: str
    message: str
    where: Where


@dataclass(slots=True)
class Measured:
    """A recording, played back."""

    figures: Figures
    device: str
    torch: str
    rules: str
    steps: int
    # the program never moved anything to a card: all its tensors are counted
    everything: bool
    timeline: list[Sample]
    notes: list[str] = field(default_factory=list)
    findings: list[RuntimeFinding] = field(default_factory=list)


class Recording:
    """The message of the runtime check, checked for its form. Raises ValueError for anything else."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        try:
            self.places: list[Where] = [where(*place) for place in message["places"]]
            self.sizes = [int(size) for size in message["sizes"]]
            self.lines = [int(line) for line in message["lines"]]
            self.roles = {int(number): cast(Role, role) for number, role in message["roles"].items()}
            self.events = [int(event) for event in message["events"]]
            self.moments = [(int(at), str(name), int(line)) for at, name, line in message["moments"]]
            self.shapes = {int(line): shape for line, shape in message.get("shapes", {}).items()}
            self.batch = int(message["batch"])
            self.batch_size: int | None = message["batch_size"]
            self.parameters = int(message["parameters"])
            self.message = message
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no recording of a step: {error}") from error

    def line(self, storage: int) -> Where:
        index = self.lines[storage]
        return self.places[index] if index >= 0 else None


def where(path: str, cell: int | None, line: int) -> Where:
    """A place of the report; the cell of a notebook travels in the path, as `notebook.ipynb::3`."""
    return (path if cell is None else f"{path}::{cell}", line)


@dataclass(slots=True)
class _Watched:
    """What the steady steps showed so far."""

    peak: Peak = field(default_factory=Peak)
    rising: bool = False
    line: Where = None
    peak_living: dict[int, int] = field(default_factory=dict)
    forward: dict[int, int] = field(default_factory=dict)
    most_kept: int = -1
    gradients: int = 0


class Playing:
    """Plays a recording through the allocator."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.allocator = CachingAllocator()
        # number of the storage → bytes taken
        self.living: dict[int, int] = {}
        self.taken: dict[int, int] = {}
        self.watched = _Watched()
        self.phase: Phase = "forward"
        self.step = 0
        # (event, or None where a phase begins; step; phase)
        self.samples: list[tuple[int | None, int, Phase]] = []
        self.kept_once: set[int] = set()
        self.backward_line: Where = None

    def run(self) -> Measured:
        recording = self.recording
        windows = [at for at, name, _ in recording.moments if name == "window"]
        start = windows[-1] if windows else 0
        moments = list(reversed(recording.moments))
        for index, event in enumerate(recording.events):
            while moments and moments[-1][0] <= index:
                self._moment(*moments.pop(), start)
            if index == start:
                self._watch()
            if event >= 0:
                self._born(event)
            else:
                self._dies(-1 - event)
        while moments:
            self._moment(*moments.pop(), start)
        self._settle()
        return self._measured(self.watched)

    def _watch(self) -> None:
        self.watched = _Watched()
        self.watched.peak.allocated = self.allocator.allocated
        self.watched.peak.phase = self.phase
        self.watched.rising = True
        self.allocator.peak_reserved = self.allocator.reserved
        self.samples.clear()

    def _moment(self, at: int, name: str, line: int, start: int) -> None:
        place = self.recording.places[line] if line >= 0 else None
        if name == "backward":
            self.backward_line = place or self.backward_line
            self.kept_once.update(self.living)
            if at >= start:
                self._forward_ends()
        if at >= start and (name == "optimizer" or (name == "forward" and self.phase == "backward")):
            roles = self.recording.roles
            gradients = sum(self.recording.sizes[n] for n in self.living if roles.get(n) == "gradients")
            self.watched.gradients = max(self.watched.gradients, gradients)
        if name in ("forward", "backward", "optimizer"):
            if self.phase == "optimizer" and name == "forward":
                self.step += 1
            self.phase = cast(Phase, name)
            self.samples.append((None, self.step, self.phase))

    def _forward_ends(self) -> None:
        """Just before backward: what lives and has no role is activations."""
        sizes, roles = self.recording.sizes, self.recording.roles
        kept = sum(sizes[number] for number in self.living if number not in roles)
        if kept > self.watched.most_kept:
            self.watched.most_kept = kept
            self.watched.forward = {number: sizes[number] for number in self.living if number not in roles}

    def _born(self, number: int) -> None:
        taken = self.allocator.allocate(number, self.recording.sizes[number])
        self.living[number] = self.taken[number] = taken
        watched = self.watched
        if self.allocator.allocated > watched.peak.allocated:
            watched.peak.allocated = self.allocator.allocated
            watched.peak.phase = self.phase
            watched.line, watched.rising = self.recording.line(number), True
        self.samples.append((number, self.step, self.phase))

    def _dies(self, number: int) -> None:
        if number not in self.living:
            return
        self._settle()
        del self.living[number]
        self.allocator.free(number)
        self.samples.append((-1 - number, self.step, self.phase))

    def _settle(self) -> None:
        if self.watched.rising:
            self.watched.rising = False
            self.watched.peak_living = dict(self.living)
            self.watched.peak.line = self.watched.line

    def _role(self, number: int) -> Role:
        """Storages without a role are activations when backward found them alive, else temporary."""
        role = self.recording.roles.get(number)
        if role is not None:
            return role
        return "activations" if number in self.kept_once else "temporary"

    def _measured(self, watched: _Watched) -> Measured:
        recording, peak = self.recording, watched.peak
        for number, taken in watched.peak_living.items():
            role, line = self._role(number), recording.line(number)
            peak.roles[role] = peak.roles.get(role, 0) + taken
            peak.lines[line] = peak.lines.get(line, 0) + taken
        message = recording.message
        reserved = self.allocator.peak_reserved
        real = message.get("real")
        if real is not None:
            # what the device's allocator counted and no operation returned: workspaces of libraries
            reserved = int(real["reserved"])
            workspace = int(real["allocated"]) - peak.allocated
            if workspace > 0:
                peak.allocated += workspace
                peak.roles["workspace"] = workspace
                peak.lines[None] = peak.lines.get(None, 0) + workspace
        path, first = self.backward_line or (str(message.get("path", "")), 1)
        figures = Figures(
            path=path,
            line=first,
            batch_size=recording.batch_size,
            parameters=recording.parameters,
            terms=self._terms(watched),
            peak=peak,
            reserved=reserved,
            lines=self._lines(watched),
            parameter_lines=self._parameter_lines(),
            unknown=[
                (recording.places[place] if place >= 0 else None, str(text))
                for text, place in message.get("unknown", ())
            ],
        )
        return Measured(
            figures=figures,
            device=str(message.get("device", "")),
            torch=str(message.get("torch", "")),
            rules=str(message.get("rules", "")),
            steps=int(message.get("steps", 0)),
            everything=bool(message.get("everything")),
            timeline=self._timeline(),
            findings=[
                RuntimeFinding(code, id, level, text, recording.places[place] if place >= 0 else None)
                for code, id, level, text, place in message.get("findings", ())
            ],
            notes=[str(note) for note in message.get("notes", ())],
        )

    def _terms(self, watched: _Watched) -> dict[str, int]:
        sizes = self.recording.sizes
        by_role: dict[str, int] = {}
        for number in self.living:
            role = self._role(number)
            by_role[role] = by_role.get(role, 0) + sizes[number]
        return {
            "parameters": by_role.get("parameters", 0),
            "buffers": by_role.get("buffers", 0),
            "gradients": watched.gradients or by_role.get("gradients", 0),
            "optimizer": by_role.get("optimizer", 0),
            "batch": self.recording.batch,
            "activations": max(watched.most_kept, 0),
            "workspace": 0,
        }

    def _lines(self, watched: _Watched) -> dict[Where, Line]:
        recording = self.recording
        lines: dict[Where, Line] = {}
        for number, size in watched.forward.items():
            line = lines.setdefault(recording.line(number), Line())
            line.saved += size
        for number, taken in watched.peak_living.items():
            if self._role(number) == "temporary":
                lines.setdefault(recording.line(number), Line()).temporary += taken
        for index, (size, shape, what) in recording.shapes.items():
            line = lines.setdefault(recording.places[index], Line())
            line.output, line.shape, line.what = int(size), tuple(shape), str(what).removeprefix("aten::")
        return lines

    def _parameter_lines(self) -> dict[Where, int]:
        lines: dict[Where, int] = {}
        for number in self.living:
            if self.recording.roles.get(number) == "parameters":
                line = self.recording.line(number)
                lines[line] = lines.get(line, 0) + self.recording.sizes[number]
        return lines

    def _timeline(self) -> list[Sample]:
        """The steady steps from event to event, thinned: the highest point of each stretch."""
        # what lived before the first sample: what dies without being born, and what outlives it
        while self.samples and self.samples[-1][0] is None and self.samples[-1][2] == "forward":
            # the next step begins, and is not done any more
            self.samples.pop()
        events = [event for event, _, _ in self.samples if event is not None]
        born = {event for event in events if event >= 0}
        living = {number for number in self.living if number not in born}
        living.update(-1 - event for event in events if event < 0 and -1 - event not in born)
        roles: dict[Role, int] = {}
        total = 0
        taken = self.taken
        for number in living:
            roles[self._role(number)] = roles.get(self._role(number), 0) + taken[number]
            total += taken[number]
        points: list[Sample] = []
        for event, step, phase in self.samples:
            if event is not None:
                number = event if event >= 0 else -1 - event
                change = taken[number] if event >= 0 else -taken[number]
                total += change
                roles[self._role(number)] = roles.get(self._role(number), 0) + change
            points.append(Sample(step, phase, total, dict(roles)))
        return thinned(points)


def thinned(points: list[Sample]) -> list[Sample]:
    """At most `POINTS` points in order, of each stretch the highest one; a stretch ends with its step and phase."""
    stretch = max(1, -(-len(points) // POINTS))
    kept: list[Sample] = []
    count = 0
    for point in points:
        same = kept and (kept[-1].step, kept[-1].phase) == (point.step, point.phase)
        if same and count % stretch:
            if point.allocated > kept[-1].allocated:
                kept[-1] = point
        else:
            kept.append(point)
            count = 0
        count += 1
    return kept


def played(message: Mapping[str, Any]) -> Measured:
    """The figures of a recording. Raises ValueError where the message is none."""
    return Playing(Recording(message)).run()
