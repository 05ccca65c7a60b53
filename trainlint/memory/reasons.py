"""Why a figure of two reports differs, as far as the reports themselves tell; None where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from trainlint.memory.wording import size

Report: TypeAlias = Mapping[str, Any]
PRETENDED = ("fake", "cpu")
# a line that makes less than this share of a difference does not explain it
SHARE = 1 / 3
MOST_LINES = 2


def why(name: str, before: int | None, after: int | None, old: Report, new: Report) -> str | None:
    """The likely reason that `name` is `before` bytes in `old` and `after` bytes in `new`."""
    if before is None or after is None or before == after:
        return None
    if name == "workspace":
        return _workspace(old, new)
    if name.startswith("peak "):
        return _peak(name, old, new)
    if name == "batch":
        return _batches(old, new) or _dtype_of_batch(before, after)
    if name == "activations":
        return _batches(old, new) or _rules(old, new) or _lines(after - before, old, new) or _left_out(old, new)
    if name == "parameters":
        return _parameters(before, after, old, new) or _left_out(old, new)
    return _per_parameter(name, before, after, old, new) or _left_out(old, new)


def _workspace(old: Report, new: Report) -> str | None:
    with_one, without = (old, new) if (old["terms"].get("workspace") or 0) else (new, old)
    if without.get("device") in PRETENDED:
        return "a pretended card has no workspace of cuBLAS"
    if with_one.get("measured"):
        return "what the libraries took is known where the card's own allocator was asked"
    return None


def _batches(old: Report, new: Report) -> str | None:
    first, second = old.get("batch_size"), new.get("batch_size")
    if first == second:
        return None
    return f"the batch sizes are {told(first)} and {told(second)}"


def told(batch: object) -> str:
    return "not known" if batch is None else str(batch)


def _dtype_of_batch(before: int, after: int) -> str:
    more, less = max(before, after), min(before, after)
    if less and more % less == 0:
        return f"{more // less} times as much: another dtype, another size of the samples, or a part that stays behind"
    return "other samples: their size or what else is moved with them"


def _parameters(before: int, after: int, old: Report, new: Report) -> str | None:
    first, second = old.get("parameters"), new.get("parameters")
    if not first or not second:
        return None
    if first != second:
        return f"{first:,} and {second:,} parameters: another model, or a part of it that is not on the card"
    return f"the same {first:,} parameters take {before / first:.1f} and {after / second:.1f} bytes each"


def _per_parameter(name: str, before: int, after: int, old: Report, new: Report) -> str | None:
    """Gradients, buffers and optimizer state, which go with the parameters."""
    ours, theirs = old["terms"].get("parameters"), new["terms"].get("parameters")
    if not ours or not theirs or name == "buffers":
        return None
    if abs(before / ours - after / theirs) < 0.01:
        return "it goes with the parameters"
    idle = _codes(old, new, "RT001")
    if name == "gradients" and idle:
        return f"{idle} parameter{'s' if idle > 1 else ''} got no gradient (RT001)"
    frozen = "parameters that are frozen or unused" if name == "gradients" else "another optimizer, or other options"
    return f"{before / ours:.2g} and {after / theirs:.2g} times the parameters: {frozen}"


def _codes(old: Report, new: Report, code: str) -> int:
    return sum(each.get("code") == code for report in (old, new) for each in report.get("findings") or ())


def _lines(change: int, old: Report, new: Report) -> str | None:
    """The lines that differ most, in the direction of the whole."""
    # an estimate counts what operations need again, a measurement what a line made: then what is held is comparable
    figure = "saved" if bool(old.get("measured")) == bool(new.get("measured")) else "held"
    known: dict[tuple[Any, Any, Any], int] = {}
    for report, sign in ((old, -1), (new, 1)):
        for line in report.get("lines") or ():
            known[_key(line)] = known.get(_key(line), 0) + sign * (line.get(figure) or 0)
    mine = [(each if change > 0 else -each, key) for key, each in known.items()]
    mine.sort(key=lambda item: -item[0])
    heavy = [(each, key) for each, key in mine[:MOST_LINES] if each >= SHARE * abs(change)]
    if not heavy:
        return None
    word = "more" if change > 0 else "less"
    return "mostly " + " and ".join(f"{_place(key)} ({size(each)} {word})" for each, key in heavy)


def _place(key: tuple[Any, Any, Any]) -> str:
    path, cell, line = key
    if path is None:
        return "what has no line"
    return f"{path}:{line}" if cell is None else f"{path}, cell {cell}, line {line}"


def _left_out(old: Report, new: Report) -> str | None:
    for report in (old, new):
        found = [each for each in report.get("unknown") or () if isinstance(each, Mapping)]
        if found and not report.get("measured"):
            place = "" if found[0].get("path") is None else _place(_key(found[0])) + ": "
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            return f"the estimate leaves out what it does not know ({place}{found[0].get('what')}{more})"
        if found:
            return f"sizes were guessed while measuring ({found[0].get('what')})"
    return None


def _key(each: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return (each.get("path"), each.get("cell"), each.get("line"))


def _rules(old: Report, new: Report) -> str | None:
    rules = {report.get("rules", "cuda") for report in (old, new)}
    if len(rules) > 1:
        return "the CPU keeps other things than CUDA: masks of dropout, attention, what autocast leaves in float32"
    if old.get("torch") and new.get("torch") and old["torch"] != new["torch"]:
        return f"torch {old['torch']} and {new['torch']}"
    return None


def _peak(name: str, old: Report, new: Report) -> str | None:
    before, after = old["peak"], new["peak"]
    phases = [report.get("at", {}).get("phase") for report in (before, after)]
    if name == "peak reserved" and before["allocated"] == after["allocated"]:
        return "the same tensors in another order: the allocator splits its blocks otherwise"
    roles = [report.get("terms") or {} for report in (before, after)]
    changes = {
        role: (roles[1].get(role) or 0) - (roles[0].get(role) or 0)
        for role in {*roles[0], *roles[1]}
        if None not in (roles[0].get(role, 0), roles[1].get(role, 0))
    }
    whole = after["allocated"] - before["allocated"]
    role, most = max(changes.items(), key=lambda item: item[1] if whole > 0 else -item[1], default=("", 0))
    moved = f"; reached in the {phases[0]} and in the {phases[1]}" if phases[0] != phases[1] and all(phases) else ""
    if not most or (most > 0) != (whole > 0):
        return moved[2:] or None
    if role == "workspace":
        same = "; the tensors take the same" if most == whole else ""
        return f"{_workspace(old, new) or 'the workspace of libraries'}{same}{moved}"
    return f"mostly {role}: {size(abs(most))} {'more' if most > 0 else 'less'}{moved}"
