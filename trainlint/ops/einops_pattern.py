"""The patterns of einops: `b c (h p) w -> b (h w) (p c)` taken apart, as its documentation describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

ELLIPSIS = "..."
# one name, number or ellipsis; a bracket; anything else is not allowed
TOKEN = re.compile(r"[\w…]+|[()]|[^\s]")


class Malformed(Exception):
    """A pattern that einops refuses; the text says why."""


@dataclass(slots=True)
class Side:
    """One side of a pattern: a group of axes for each axis of the tensor.

    A number stands for an axis of that size (`2#l0`: numbered, since each is an axis of its own); axes of size 1 are
    empty groups. `...` is a group of its own, or inside of brackets.
    """

    groups: list[list[str]] = field(default_factory=list)
    # the ellipsis stands inside of brackets
    inside: bool = False

    @property
    def names(self) -> list[str]:
        return [name for group in self.groups for name in group]

    @property
    def ellipsis(self) -> int | None:
        """The group that is the ellipsis (or holds it)."""
        return next((n for n, group in enumerate(self.groups) if ELLIPSIS in group), None)


@dataclass(slots=True)
class Pattern:
    left: Side
    right: Side


def size_of(name: str) -> int | None:
    """The size of an axis that is written as a number."""
    number, mark, _ = name.partition("#")
    return int(number) if mark else None


def plain(name: str) -> str:
    """The name as it stands in the pattern."""
    return name.partition("#")[0]


@lru_cache(maxsize=2_000)
def side(text: str, mark: str = "l", spare: str = "") -> Side:
    """One side of a pattern; `mark` tells the numbers of both apart. `spare`: a name for any number of axes (`_`)."""
    dots = text.count(".")
    if dots and (dots != 3 or ELLIPSIS not in text):
        raise Malformed("dots stand only in one ellipsis `...`")
    result = Side()
    group: list[str] | None = None
    for n, token in enumerate(TOKEN.findall(text.replace(ELLIPSIS, "…"))):
        if token == "(":
            if group is not None:
                raise Malformed("brackets inside of brackets")
            group = []
        elif token == ")":
            if group is None:
                raise Malformed("a bracket is closed that was not opened")
            result.groups.append(group)
            group = None
        else:
            add(result, group, axis_name(token, f"{mark}{n}", spare), spare)
    if group is not None:
        raise Malformed("a bracket is not closed")
    return result


def axis_name(token: str, mark: str, spare: str) -> str:
    """The axis that a token names; an empty text for `1`."""
    if token == "…":
        return ELLIPSIS
    if token.isdecimal():
        if int(token) < 1:
            raise Malformed(f"an axis of size {token}")
        return f"{int(token)}#{mark}" if int(token) > 1 else ""
    if token == spare:
        return token
    if not token.isidentifier() or token[0] == "_" or token[-1] == "_":
        raise Malformed(f"`{token}` is no name of an axis")
    return token


def add(result: Side, group: list[str] | None, name: str, spare: str) -> None:
    if name and name != spare and (name in result.names or (group is not None and name in group)):
        raise Malformed(f"`{name}` stands twice on one side")
    axes = [name] if name else []
    if group is None:
        result.groups.append(axes)
    else:
        group.extend(axes)
        result.inside = result.inside or name == ELLIPSIS


def pattern_of(text: str) -> Pattern:
    """Both sides of a pattern."""
    parts = text.split("->")
    if len(parts) != 2:
        raise Malformed("a pattern has one arrow `->`")
    return Pattern(side(parts[0]), side(parts[1], "r"))


def check(pattern: Pattern, operation: str, given: set[str], complete: bool) -> None:
    """What einops asks of a pattern before it looks at the tensor.

    `given` are the axes whose sizes are keyword arguments, all of them where `complete`.
    """
    left, right = set(pattern.left.names), set(pattern.right.names)
    if ELLIPSIS in right and ELLIPSIS not in left:
        raise Malformed("`...` stands only on the right side")
    if pattern.left.inside:
        raise Malformed("`...` stands inside of brackets on the left side")
    if operation == "rearrange":
        number = next((n for n in (*left, *right) if size_of(n) is not None), None)
        if number is not None:
            raise Malformed(f"`{plain(number)}`: an axis of `rearrange` needs a name")
        one_side(left ^ right, "stands only on one side")
    elif operation == "repeat":
        one_side(left - right, "stands only on the left side")
        missing = sorted(n for n in right - left - given if size_of(n) is None)
        if missing and complete:
            raise Malformed(f"the size of `{missing[0]}` is not given")
    else:
        one_side(right - left, "stands only on the right side")
    unused = sorted(given - left - right)
    if unused:
        raise Malformed(f"`{unused[0]}` is given a size and stands nowhere in the pattern")
    for group in pattern.left.groups:
        open_names = [n for n in group if n != ELLIPSIS and size_of(n) is None and n not in given]
        if len(open_names) > 1 and complete:
            raise Malformed(f"the sizes of `{'` and `'.join(open_names)}` cannot both be inferred")


def one_side(names: set[str], problem: str) -> None:
    if names:
        raise Malformed(f"`{plain(min(names))}` {problem}")
