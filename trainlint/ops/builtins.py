"""Builtins that go through sequences, `math`, `itertools`, calls through wrappers."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from functools import reduce
from typing import Any

from trainlint.analysis import dims
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.iteration import count_of, elements, iterate
from trainlint.analysis.joins import element, same_count
from trainlint.analysis.registry import OpCall, called, constant, method, op
from trainlint.analysis.values import (
    Const,
    Mapping,
    Number,
    Obj,
    Seq,
    Sym,
    Unknown,
    Value,
    assumed_truth,
    number,
    truth,
)


@op("builtins.any", "builtins.all")
def any_all(call: OpCall) -> Value | None:
    inside = elements(call.args[0]) if call.args else None
    if inside is None:
        return Unknown()
    wanted = call.name.endswith("any")
    answers = [truth(v) for v in inside]
    if wanted in answers:
        return Const(wanted)
    return Unknown() if None in answers else Const(not wanted)


@op("builtins.sorted")
def sorted_(call: OpCall) -> Value | None:
    value = call.args[0] if call.args else None
    inside = elements(value) if value is not None and not (isinstance(value, Seq) and value.kind == "set") else None
    if isinstance(value, Seq) and value.kind == "set":
        inside = value.items
    plain = [v.value for v in inside if isinstance(v, Const)] if inside is not None else []
    if inside is None or len(plain) != len(inside) or "key" in call.kwargs:
        return Seq("list", None, iterate(call.run, call.scope, value or Unknown(), call.node), None, counted(call, 0))
    try:
        order = sorted(range(len(plain)), key=lambda i: plain[i], reverse=call.const(9, "reverse") is True)
    except TypeError:
        return Unknown()
    return fresh(call, [inside[i] for i in order])


@op("builtins.reversed")
def reversed_(call: OpCall) -> Value | None:
    value = call.args[0] if call.args else None
    inside = elements(value) if value is not None else None
    if inside is not None:
        return fresh(call, inside[::-1])
    if value is None or isinstance(value, Unknown):
        return value
    return Seq("list", None, iterate(call.run, call.scope, value, call.node), None, counted(call, 0))


def counted(call: OpCall, index: int) -> Value | None:
    """How many elements an argument has, None where that is not known."""
    return count_of(call.run, call.scope, call.args[index], call.node) if len(call.args) > index else None


@op("builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque")
def sequence(call: OpCall) -> Value | None:
    kind = "tuple" if call.name.endswith("tuple") else "set" if call.name.endswith("set") else "list"
    if not call.args:
        return fresh(call, [], kind)
    value = call.args[0]
    inside = elements(value)
    if isinstance(value, Seq) and value.kind == "set" and call.run.program.tape is not None:
        # the order of a set is not known; where memory is counted it is that of the program
        inside = value.items
    if inside is None and kind == "set" and isinstance(value, Const) and isinstance(value.value, str):
        # the letters of a long text
        inside = [Const(letter) for letter in dict.fromkeys(value.value)]
    if inside is not None:
        made = fresh(call, distinct(inside) if kind == "set" else inside, kind)
        made.origin = value.origin if isinstance(value, Seq) else None
        return made
    if isinstance(value, Seq):
        length = None if kind == "set" else value.count
        return Seq("list" if kind == "set" else kind, None, element(value), value.origin, length)
    if isinstance(value, Unknown) or (isinstance(value, Obj) and value.kind == "parameters"):
        return value
    length = None if kind == "set" else counted(call, 0)
    return Seq("list" if kind == "set" else kind, None, iterate(call.run, call.scope, value, call.node), None, length)


def distinct(values: list[Value]) -> list[Value]:
    """Each constant once."""
    result: list[Value] = []
    seen: list[Any] = []
    for value in values:
        if isinstance(value, Const):
            if value.value in seen:
                continue
            seen.append(value.value)
        result.append(value)
    return result


def fresh(call: OpCall, inside: list[Value], kind: str = "list") -> Seq:
    made = Seq(kind, list(inside))
    made.born = call.run.tick()
    return made


@op("builtins.iter")
def iter_(call: OpCall) -> Value | None:
    return call.args[0] if call.args else None


@op("builtins.map")
def map_(call: OpCall) -> Value | None:
    if len(call.args) < 2:
        return None
    function, *over = call.args
    columns = [elements(v) for v in over]
    known = [c for c in columns if c is not None]
    if len(known) == len(columns) and all(len(c) <= 64 for c in known):
        rows = [list(row) for row in zip(*known, strict=False)]
        return fresh(call, [invoke(call.run, call.scope, function, row, {}, call.node) for row in rows])
    items = [iterate(call.run, call.scope, v, call.node) for v in over]
    length = reduce(same_count, [count_of(call.run, call.scope, v, call.node) for v in over])
    return Seq("list", None, invoke(call.run, call.scope, function, items, {}, call.node), None, length)


@op("builtins.filter")
def filter_(call: OpCall) -> Value | None:
    if len(call.args) != 2:
        return None
    function, over = call.args
    inside = elements(over)
    if inside is None or len(inside) > 1024:
        return (
            over
            if isinstance(over, (Obj, Unknown))
            else Seq("list", None, iterate(call.run, call.scope, over, call.node))
        )
    answers: list[bool | None] = []
    for item in inside:
        none = isinstance(function, Const) and function.value is None
        result = item if none else invoke(call.run, call.scope, function, [item], {}, call.node)
        answers.append(assumed_truth(result) if call.run.by_default else truth(result))
    if None in answers:
        return Seq("list", None, element(Seq("list", inside)))
    return fresh(call, [item for item, keep in zip(inside, answers, strict=True) if keep])


@op("itertools.chain", "itertools.chain.from_iterable")
def chain(call: OpCall) -> Value | None:
    parts = call.args
    if call.name.endswith("from_iterable"):
        inner = elements(parts[0]) if parts else None
        if inner is None:
            return None
        parts = inner
    columns = [elements(part) for part in parts]
    known = [c for c in columns if c is not None]
    if len(known) == len(columns):
        return fresh(call, [item for column in known for item in column])
    return None


@op("itertools.repeat")
def repeat(call: OpCall) -> Value | None:
    times = call.const(1, "times")
    if call.args and isinstance(times, int) and 0 <= times <= 64:
        return fresh(call, [call.args[0]] * times)
    return Seq("list", None, call.args[0]) if call.args else None


@op("itertools.islice")
def islice(call: OpCall) -> Value | None:
    if not call.args:
        return None
    inside = elements(call.args[0])
    bounds = [v.value for v in call.args[1:] if isinstance(v, Const) and not v.default]
    whole = len(bounds) + 1 == len(call.args) and all(b is None or (isinstance(b, int) and b >= 0) for b in bounds)
    if inside is not None and whole and bounds:
        return fresh(call, inside[slice(*bounds)])
    wrapped = Obj(call.name, "wrapper", call.node, [call.args[0]])
    wrapped.attrs["element"] = iterate(call.run, call.scope, call.args[0], call.node)
    return wrapped


@op("itertools.accumulate")
def accumulate(call: OpCall) -> Value | None:
    """Running sums of constants."""
    inside = elements(call.args[0]) if len(call.args) == 1 and not call.kwargs else None
    numbers = [number(v) for v in inside] if inside is not None else [None]
    total: float = 0
    sums: list[Value] = []
    for each in numbers:
        if each is None:
            return Seq("list", None, Unknown())
        total += each
        sums.append(Const(total))
    return fresh(call, sums)


@op("typing.cast")
def cast(call: OpCall) -> Value | None:
    return call.arg(1, "val")


@op("builtins.chr", "builtins.ord")
def letter(call: OpCall) -> Value | None:
    value = call.const(0, "i")
    if call.name.endswith("ord"):
        return Const(ord(value)) if isinstance(value, str) and len(value) == 1 else None
    return Const(chr(value)) if isinstance(value, int) and 0 <= value < 0x110000 else None


# numbers

_MATH: dict[str, Callable[..., Any]] = {
    f"math.{name}": getattr(math, name)
    for name in (
        "sqrt", "ceil", "floor", "log", "log2", "log10", "exp", "pow", "gcd", "prod", "fabs", "sin", "cos", "tan",
        "tanh", "trunc", "isqrt", "comb", "factorial", "radians", "degrees", "atan", "fmod",
    )
}  # fmt: skip


@op(*_MATH)
def mathematics(call: OpCall) -> Value | None:
    numbers: list[Any] = [number(a) for a in call.args]
    if call.name == "math.prod" and len(call.args) == 1:
        inside = elements(call.args[0])
        factors = [number(v) for v in inside] if inside is not None else [None]
        numbers = [] if None in factors else [factors]
    if not numbers or None in numbers or call.kwargs:
        return Number(call.name)
    if call.name in ("math.factorial", "math.comb", "math.exp", "math.pow") and any(abs(n) > 60 for n in numbers):
        return Number(call.name)
    try:
        result = _MATH[call.name](*numbers)
    except (ArithmeticError, TypeError, ValueError):
        return Number(call.name)
    default = next((a.default for a in call.args if isinstance(a, Const) and a.default), None)
    return Const(result, call.step(call.name), default)


for _name in ("pi", "e", "tau", "inf", "nan"):
    constant(f"math.{_name}", getattr(math, _name))
for _name in ("ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "punctuation", "printable"):
    constant(f"string.{_name}", getattr(string, _name))
for _name in ("torch.pi", "numpy.pi", "torch.inf", "numpy.inf", "torch.nan", "numpy.nan", "numpy.e", "torch.e"):
    constant(_name, getattr(math, _name.rpartition(".")[2]))


@op("random.random", "random.uniform", "random.gauss", "random.betavariate", "random.triangular", "time.time")
@op("time.perf_counter")
def random_number(call: OpCall) -> Value | None:
    """A float."""
    return Number(call.name, dtype="float32")


@op("random.randint", "random.randrange")
def random_integer(call: OpCall) -> Value | None:
    low = number(call.args[0]) if len(call.args) > 1 else 0
    return dims.symbol(call.name, low=low if isinstance(low, int) and low >= 0 else None)


@op("random.choice")
def random_choice(call: OpCall) -> Value | None:
    return iterate(call.run, call.scope, call.args[0], call.node) if call.args else None


@op("random.sample", "random.choices")
def random_sample(call: OpCall) -> Value | None:
    """`k` of the elements; `random.choices` gives one unless more are asked for."""
    if not call.args:
        return None
    sample = call.name.endswith("sample")
    length = call.arg(1, "k") if sample else call.kwargs.get("k", Const(1))
    covering = iterate(call.run, call.scope, call.args[0], call.node)
    return Seq("list", None, covering, None, length if isinstance(length, (Const, Sym)) else None)


@op("builtins.divmod")
def divmod_(call: OpCall) -> Value | None:
    a, b = (number(v) for v in (*call.args[:2], *[None] * (2 - len(call.args))))
    if a is None or not b:
        return Seq("tuple", [Unknown(), Unknown()])
    return Seq("tuple", [Const(a // b), Const(a % b)])


@op("builtins.pow")
def pow_(call: OpCall) -> Value | None:
    a, b = number(call.arg(0, "base")), number(call.arg(1, "exp"))
    if a is None or b is None or abs(a) > 1e6 or abs(b) > 16 or (a == 0 and b < 0) or (a < 0 and b != int(b)):
        return Unknown()
    return Const(a**b)


# calls through something else


@called("partial")
def call_partial(call: OpCall) -> Value | None:
    """`functools.partial(f, …)(…)`."""
    made = call.receiver
    if not isinstance(made, Obj) or not made.args:
        return None
    return invoke(
        call.run, call.scope, made.args[0], [*made.args[1:], *call.args], {**made.kwargs, **call.kwargs}, call.node
    )


@method("partial", ".func")
def partial_function(call: OpCall) -> Value | None:
    return call.receiver.args[0] if isinstance(call.receiver, Obj) and call.receiver.args else None


@method("partial", ".args", ".keywords")
def partial_arguments(call: OpCall) -> Value | None:
    """What a `functools.partial` passes on."""
    made = call.receiver
    if not isinstance(made, Obj):
        return None
    return Seq("tuple", list(made.args[1:])) if call.name.endswith("args") else Mapping(dict(made.kwargs))
