"""Which training loop is meant: its name, the way that leads to it, and what its function gets from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trainlint.analysis.facts import Event, TrainLoop
from trainlint.analysis.values import Class, Obj, Unknown, Value
from trainlint.memory.timeline import Where

if TYPE_CHECKING:
    from trainlint.memory.estimate import Estimate


class NoSuchEntry(Exception):
    """No training loop has the name or the line that was asked for; the text says which there are."""


def name_of(loop: TrainLoop) -> str:
    """`train`, `Trainer.fit`; empty for a loop of the module itself."""
    owner, function = loop.loop.owner, loop.loop.function
    if function.startswith("<"):
        return ""
    return f"{owner.name}.{function}" if isinstance(owner, Class) else function


def chosen(found: Sequence[Estimate], entry: str | None) -> Estimate:
    """The loop that was asked for by a line in it, its function or a function that calls it; else the highest peak.

    Of several that fit the one with the highest peak. Raises NoSuchEntry.
    """
    fitting = list(found)
    if entry is not None:
        ways = ([each for each in found if fits(each, entry)] for fits in (by_line, by_name, by_caller))
        fitting = next((way for way in ways if way), [])
        if not fitting:
            raise NoSuchEntry(f"no training loop in {entry!r}; there is {', '.join(told(each) for each in found)}")
    return max(fitting, key=lambda each: each.peak.allocated)


def by_line(estimate: Estimate, entry: str) -> bool:
    """`31` or `train.py:31`: the line of the loop, one of its body, or the call that leads to it."""
    path, _, number = entry.rpartition(":")
    loop = estimate.loop
    if not number.isdigit() or loop is None or not loop.file.path.endswith(path):
        return False
    calls = set(called_from(loop)) if not path else set()
    return int(number) in calls | {loop.place.line, *(event.place.line for event in own_events(loop))}


def own_events(loop: TrainLoop) -> Iterator[Event]:
    """What happens in the body itself, not in functions that it calls."""
    return (event for event in loop.events if event.file is loop.file and len(event.via) == len(loop.loop.via))


def by_name(estimate: Estimate, entry: str) -> bool:
    return entry in (estimate.name, estimate.function)


def by_caller(estimate: Estimate, entry: str) -> bool:
    """Does a function of that name lead to the loop?"""
    return estimate.loop is not None and entry in estimate.loop.events[0].frames


def told(estimate: Estimate) -> str:
    """`train (line 31)`, `Trainer.fit (trainer.py:12, called from line 52 → 40)`."""
    loop = estimate.loop
    name = estimate.name or "the loop"
    if loop is None:
        return f"{name} (line {estimate.line})"
    here = loop.file is loop.trace.file
    place = f"line {estimate.line}" if here else f"{estimate.path.rpartition('/')[2]}:{estimate.line}"
    lines = " → ".join(map(str, called_from(loop)))
    return f"{name} ({place}, called from line {lines})" if lines else f"{name} ({place})"


def called_from(loop: TrainLoop) -> list[int]:
    """The lines of the file under analysis whose calls lead to the loop, outermost first."""
    here = {id(unit) for unit in loop.trace.file.document.units}
    return [stmt.first_line for stmt in loop.loop.via if id(stmt.unit) in here]


def strangers(loop: TrainLoop) -> list[tuple[Where, str]]:
    """What the loop gets from outside and nothing says what it is: the loader, models and optimizers of parameters."""
    parts: list[tuple[Value | None, str]] = [(loop.loop.over, "its batches")]
    parts += [(event.subject, "its model") for event in loop.of("forward", "unknown_call")]
    parts += [(event.subject, "its optimizer") for event in loop.of("step")]
    found: dict[str, str] = {}
    for value, role in parts:
        for inner in sources(value):
            found.setdefault(inner.name, role)
    function = name_of(loop) or "the function"
    place = (loop.file.path, loop.place.line)
    return [
        (place, f"`{function}` gets {role} by the parameter `{name}`, and nothing that is read here calls it")
        for name, role in found.items()
    ]


def sources(value: Value | None) -> Iterator[Unknown]:
    """The parameter without a known caller that a value is, through `enumerate` and `tqdm`."""
    if isinstance(value, Unknown) and value.param:
        yield value
    elif isinstance(value, Obj) and value.kind == "wrapper":
        for inner in value.args:
            yield from sources(inner)
