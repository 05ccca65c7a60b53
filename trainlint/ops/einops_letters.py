"""The letters of an image's axes through a pattern of einops: by the place of an axis, not by its name."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall
from trainlint.ops.einops_pattern import ELLIPSIS, Pattern
from trainlint.ops.layout import integer, letters, report

NONE = "?"


def follow(call: OpCall, array: Array, result: Array, pattern: Pattern) -> Array:
    """The result with the layout that the pattern gives it; reports where it only puts axes in another order."""
    before = letters(array)
    after = layout_after(before, pattern) if before is not None else None
    if before is None or after is None:
        return result.but(tail=result.tail, shape=result.shape, layout=None, channels=None, colour=None)
    result = result.but(tail=result.tail, shape=result.shape, layout=after)
    if "C" not in after:
        result.channels = result.colour = None
    elif result.shape is not None and len(result.shape) == len(after):
        count = integer(result.shape[after.index("C")])
        if count != array.channels and count is not None:
            result.channels, result.colour = count, None
    if after != before:
        result.origin = call.step(f"rearranged to {after}", array, "layout")
        if sorted(after) == sorted(before):
            report(call, array, after)
    return result


def layout_after(before: str, pattern: Pattern) -> str | None:
    """The letters of the result, None where one of its axes has none."""
    names = letters_by_name(before, pattern)
    if names is None:
        return None
    # names that are only a part of an axis of the tensor
    parted = set(pattern.left.names) - set(names)
    result = ""
    for n, group in enumerate(pattern.right.groups):
        if group == [ELLIPSIS]:
            result += names.get(ELLIPSIS, NONE)
            continue
        result += letter_of(group, names, parted, "N" if n == 0 and "N" not in before else NONE)
    return None if NONE in result or len(set(result)) < len(result) else result or None


def letters_by_name(before: str, pattern: Pattern) -> dict[str, str] | None:
    """The letter of each name of the left side; None where the pattern has another number of axes."""
    left, where = pattern.left.groups, pattern.left.ellipsis
    more = len(before) - (len(left) - 1) if where is not None else 1
    if more < 0 or (where is None and len(left) != len(before)):
        return None
    kept = set(pattern.right.names)
    names: dict[str, str] = {}
    at = 0
    for group in left:
        if group == [ELLIPSIS]:
            names[ELLIPSIS] = before[at : at + more]
            at += more
            continue
        letter, staying = before[at], [n for n in group if n in kept]
        at += 1
        if len(staying) == 1:
            names[staying[0]] = letter
        elif letter == "N" and len(group) == 2 and "T" not in before:
            names.update(zip(group, "NT", strict=True))
    return names


def letter_of(group: list[str], names: dict[str, str], parted: set[str], new: str) -> str:
    """The letter of one axis of the result; `new` is that of an axis of size 1."""
    if not group:
        return new
    found = [names[n] for n in group if n in names]
    if parted & set(group) or not found:
        return NONE
    if len(found) == 1 and len(found[0]) == 1:
        # what `repeat` puts beside it only makes the axis longer
        return found[0]
    return "N" if len(found) == len(group) and set("".join(found)) <= {"N", "T"} else NONE
