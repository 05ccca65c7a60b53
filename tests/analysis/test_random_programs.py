"""Random small programs: whatever undecided conditions are, what Python computes is among what the interpreter says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from real_values import covers, interpret

from trainlint.analysis.values import Instance, Value

FLAGS = ("f0", "f1", "f2")
PRELUDE = """
class Box:
    def __init__(self, n):
        self.n = n
        self.seen = []
    def put(self, k):
        self.n = k
        self.seen.append(k)
    def maybe(self, k):
        if f2:
            return self.n
        self.n = k
        return k + 100
def pick(k):
    if f1:
        return k
    return [k]
def leave(xs, k):
    for each in (1, 2):
        if f0:
            return list(xs)
        xs.append(each * k)
    return None
a, b, xs, d, o, p = 1, 2, [0], {"k": 1}, Box(0), Box(9)
"""
NAMES = ("a", "b", "xs", "d", "o", "p")
LEAVES = (
    "a",
    "b",
    "3",
    "list(xs)",
    "xs[0]",
    "d['k']",
    "d.get('m')",
    "o.n",
    "len(o.seen)",
    "p.n",
    "[a, b]",
    "len(xs)",
    "pick(a)",
)
ACTIONS = (
    "xs.append({0})", "xs.insert(0, {0})", "xs = [{0}]", "xs += [{0}]", "xs[0] = {0}", "d['k'] = {0}", "d['m'] = {0}",
    "d.update(k={0})", "d = {{'k': {0}}}", "a = {0}", "b = {0}", "b += 1", "o.n = {0}", "o.put({0})", "o = Box({0})",
    "p = o", "p.put({0})", "a = o.maybe({0})", "b = leave(xs, 3)", "a, b = b, a", "xs = list(xs)", "del xs[0]",
    "xs.pop()", "d.pop('m', None)", "xs.extend(pick(5) if f0 else [1])", "o.seen = list(xs)",
)  # fmt: skip


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0, in_loop: bool = False, loops: bool = True) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["do"] * 4 + (["if", "try", *["for"] * loops] if depth < 3 else []) + (["leave"] if in_loop else [])
        kind = draw(st.sampled_from(kinds))
        if kind == "do":
            lines.append(draw(st.sampled_from(ACTIONS)).format(draw(st.sampled_from(LEAVES))))
        elif kind == "leave":
            lines += [f"if {draw(st.sampled_from(FLAGS))}:", f"    {draw(st.sampled_from(['break', 'continue']))}"]
        elif kind == "try":
            # one action: what lies between two of them is not looked at
            action = draw(st.sampled_from(ACTIONS)).format(draw(st.sampled_from(LEAVES)))
            lines += ["try:", f"    {action}", "except IndexError:"]
            lines += indented(draw(blocks(depth + 1, in_loop, loops)))
        elif kind == "if":
            lines += [f"if {draw(st.sampled_from(FLAGS))}:", *indented(draw(blocks(depth + 1, in_loop, loops)))]
            if draw(st.booleans()):
                lines += ["else:", *indented(draw(blocks(depth + 1, in_loop, loops)))]
        else:
            over = draw(st.sampled_from(["range(2)", "range(3)", "(4, 5)", "list(d)", "pick(7) if f1 else [6]"]))
            lines += [f"for i in {over}:", *indented(draw(blocks(depth + 1, True)))]
            if draw(st.integers(0, 3)) == 0:
                lines += ["else:", *indented(draw(blocks(depth + 1, in_loop, loops)))]
    return lines


def indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def ran(code: str, flags: tuple[bool, ...]) -> dict[str, Any] | None:
    """The names after the program, None where it stops at an error."""
    names: dict[str, Any] = dict(zip(FLAGS, flags, strict=True))
    try:
        exec(code, names)
    except (IndexError, KeyError, TypeError, AttributeError):
        return None
    return names


def covered(value: Value | None, real: Any, depth: int = 3) -> bool:
    """Is the real value, with the attributes of objects, among the abstract ones?"""
    if isinstance(value, Instance) and depth and type(real).__name__ == value.cls.name:
        return all(covered(v, getattr(real, name), depth - 1) for name, v in value.attrs.items() if hasattr(real, name))
    return covers(value, real)


def check(code: str, names: dict[str, Value], read: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Compare the abstract names with those of the run with every combination of the flags."""
    for flags in itertools.product((True, False), repeat=len(FLAGS)):
        bound = ran(code, flags)
        for name, real in read(bound).items() if bound is not None else ():
            assert covered(names.get(name), real), (
                f"{name} is {names.get(name)!r}, with {dict(zip(FLAGS, flags, strict=True))} it is {real!r}"
                f" {getattr(real, '__dict__', '')} {getattr(names.get(name), 'attrs', '')}\n"
                + code.removeprefix(PRELUDE)
            )


@settings(max_examples=200, deadline=None)
@given(blocks(loops=False))
def test_every_run_is_covered(lines: list[str]) -> None:
    code = PRELUDE + "\n".join(lines) + "\n"
    check(code, interpret(code).file.scope.names, lambda names: {name: names[name] for name in NAMES})


@settings(max_examples=300, deadline=None)
@given(blocks())
def test_every_model_is_covered(lines: list[str]) -> None:
    """In the constructor of a model loops over known elements are unrolled."""
    keep = [f"self.{name} = {name}" for name in NAMES]
    body = [*PRELUDE.splitlines()[-1:], *lines, *keep]
    head = ["from torch import nn", "class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    code = PRELUDE + "\n".join([*head, *indented(indented(body)), "net = Net()", ""])
    net = interpret(code).file.scope.names["net"]
    assert isinstance(net, Instance)
    check(code, net.attrs, lambda names: vars(names["net"]))
