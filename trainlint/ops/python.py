"""Python's builtins and standard library, as far as values pass through them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from itertools import product
from math import prod
from typing import Any

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.classes import fields_of, has_fields, record
from trainlint.analysis.iteration import MOST_ELEMENTS, elements, iterate, range_of, strides
from trainlint.analysis.joins import element, is_numeric, one_of
from trainlint.analysis.listing import LISTINGS, listed
from trainlint.analysis.modules import children, container
from trainlint.analysis.registry import OpCall, alias, called, kind, method, op
from trainlint.analysis.scalars import binary
from trainlint.analysis.unrolling import most_rounds
from trainlint.analysis.values import (
    Class,
    Const,
    Func,
    Instance,
    Mapping,
    Number,
    Obj,
    OneOf,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
    number,
)
from trainlint.ops.copying import copied

alias("lightning.", "pytorch_lightning.", "lightning.pytorch.")
kind("file", "builtins.open", "pathlib.Path")
kind("logger", "logging.getLogger")

CONVERSIONS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "round": round, "abs": abs
}  # fmt: skip
# what always gives a number, with its type
CONVERTED = {"builtins.int": "int64", "builtins.float": "float32"}
NOT_NUMBERS = frozenset({"builtins.str", "builtins.bool"})


@op("builtins.range")
def range_(call: OpCall) -> Value | None:
    return range_of(call.args, call.run.by_default, most_rounds(call.run), call.run.program.tape is not None)


@op("builtins.int", "builtins.float", "builtins.str", "builtins.bool", "builtins.round", "builtins.abs")
def convert(call: OpCall) -> Value | None:
    value = call.arg(0, "x")
    if isinstance(value, OneOf):
        results = [convert_one(call, v) for v in value.values]
        return one_of(tuple(r if r is not None else Unknown() for r in results))
    return convert_one(call, value) if value is not None else None


def convert_one(call: OpCall, value: Value) -> Value | None:
    if isinstance(value, Array):
        # `float(loss)` leaves the graph
        call.run.event("item", call.node, call.scope, value)
        return Number("a number", dtype=CONVERTED.get(call.name))
    if isinstance(value, Unknown):
        call.run.event("item", call.node, call.scope, value)
        numeric = call.name in CONVERTED or isinstance(value, Number)
        made = Number(value.name, value.origin, CONVERTED.get(call.name))
        return made if numeric and call.name not in NOT_NUMBERS else Unknown(value.name, value.origin)
    if not isinstance(value, Const):
        if isinstance(value, (Sym, Range)) and call.name == "builtins.float":
            return Number(dtype="float32")
        return value if isinstance(value, (Sym, Range)) and call.name == "builtins.int" else None
    function = CONVERSIONS[call.name.removeprefix("builtins.")]
    try:
        extra = [a.value for a in call.args[1:] if isinstance(a, Const)]
        result = function(value.value, *extra)
    except (TypeError, ValueError, OverflowError):
        return Unknown()
    return Const(result, value.origin, value.default, value.literal if result == value.value else None)


@op("builtins.len")
def len_(call: OpCall) -> Value | None:
    value = call.arg(0, "obj")
    if isinstance(value, Seq) and value.count is not None:
        return value.count
    if isinstance(value, Const) and isinstance(value.value, str):
        return Const(len(value.value))
    if isinstance(value, Mapping) and not value.open:
        return Const(len(value.items))
    if isinstance(value, Array):
        from trainlint.ops.sizes import length

        return length(OpCall(call.run, call.scope, call.node, "__len__", [], {}, value))
    if isinstance(value, (Obj, Instance)) and container(value) is not None:
        inside = children(value)
        return Const(len(inside)) if inside is not None else Sym("len(…)")
    if isinstance(value, (Obj, Instance)):
        from trainlint.ops.data import length_of

        known = length_of(call, value)
        if known is not None:
            return known
    name = value.name if isinstance(value, (Unknown, Obj)) else "…"
    return Sym(f"len({name})")


@op("builtins.max", "builtins.min")
def max_min(call: OpCall) -> Value | None:
    values = call.args
    if len(values) == 1 and isinstance(values[0], Seq) and values[0].items is not None:
        values = values[0].items
    elif len(values) == 1 and isinstance(values[0], Mapping):
        values = elements(values[0]) or []
    constants = [v for v in values if isinstance(v, Const) and isinstance(v.value, (int, float))]
    pick = max if call.name.endswith("max") else min
    if not constants or len(constants) != len(values) or call.kwargs:
        usual = [dims.usual(v) for v in values]
        if call.run.program.tape is None or None in usual or not usual or call.kwargs:
            return Number() if values and not call.kwargs and all(map(is_numeric, values)) else Unknown()
        return values[usual.index(pick(n for n in usual if n is not None))]
    chosen = pick(constants, key=lambda c: c.value)
    default = chosen.default or next((c.default for c in constants if c.default), None)
    return Const(chosen.value, chosen.origin, default)


@op("builtins.sum")
def sum_(call: OpCall) -> Value | None:
    value = call.arg(0, "iterable")
    if isinstance(value, Seq) and value.items is not None:
        numbers = [v.value for v in value.items if isinstance(v, Const) and isinstance(v.value, (int, float))]
        if len(numbers) == len(value.items):
            start = number(call.arg(1, "start")) if len(call.args) > 1 else 0
            default = next((v.default for v in value.items if isinstance(v, Const) and v.default), None)
            return Const(sum(numbers) + start, None, default) if start is not None else Unknown()
        if call.run.program.tape is not None and any(isinstance(v, Array) for v in value.items):
            first = call.arg(1, "start") or Const(0)
            return reduce(lambda a, b: binary(call.run, call.scope, "+", a, b, call.node), value.items, first)
    return element(value) if isinstance(value, Seq) and isinstance(element(value), Array) else Unknown()


@op("builtins.next")
def next_(call: OpCall) -> Value | None:
    if not call.args:
        return None
    over = call.args[0]
    if (
        call.run.program.tape is not None
        and isinstance(over, Obj)
        and over.kind in LISTINGS
        and (known := listed(over))
    ):
        # `next(model.parameters())`, asked for its dtype and device
        return known[0]
    return iterate(call.run, call.scope, over, call.node)


@op("builtins.dict", "collections.OrderedDict", "easydict.EasyDict", "munch.Munch", "addict.Dict", "box.Box")
def dict_(call: OpCall) -> Value | None:
    items = {k: v for k, v in call.kwargs.items() if k not in ("*", "**")}
    is_open = "**" in call.kwargs
    first = call.args[0] if call.args else None
    if isinstance(first, Mapping):
        return Mapping({**first.items, **items}, first.open or is_open, first.origin)
    if isinstance(first, Seq) and first.items is not None:
        for pair in first.items:
            key = pair.items[0] if isinstance(pair, Seq) and pair.items and len(pair.items) == 2 else None
            if isinstance(pair, Seq) and pair.items and isinstance(key, Const) and isinstance(key.value, str):
                items[key.value] = pair.items[1]
            else:
                is_open = True
    elif first is not None:
        is_open = True
    return Mapping(items, is_open, call.step("dict"))


@op("collections.namedtuple")
def namedtuple(call: OpCall) -> Value | None:
    """`namedtuple("Spec", "kernel channels", defaults=(7,))`: a class of named tuples."""
    given, defaults = call.arg(1, "field_names"), call.kwargs.get("defaults")
    names = given.value.replace(",", " ").split() if isinstance(given, Const) and isinstance(given.value, str) else None
    if names is None:
        inside = elements(given) if given is not None else None
        names = [v.value for v in inside if isinstance(v, Const)] if inside is not None else []
        if inside is None or len(names) != len(inside):
            return None
    last = elements(defaults) if defaults is not None else []
    if last is None or not all(isinstance(name, str) for name in names):
        return None
    fields: dict[str, Value] = {name: Unknown(name) for name in names}
    fields.update(zip(names[len(names) - len(last) :], last, strict=False))
    made = Obj(call.name, "namedtuple", call.node, list(call.args))
    made.attrs["fields"] = Mapping(fields)
    return made


@called("namedtuple")
def make_record(call: OpCall) -> Value | None:
    fields = call.receiver.attrs.get("fields") if isinstance(call.receiver, Obj) else None
    return record(fields.items, call.args, call.kwargs, None) if isinstance(fields, Mapping) else None


@method("namedtuple", "_make")
def record_of(call: OpCall) -> Value | None:
    inside = elements(call.args[0]) if call.args else None
    fields = call.receiver.attrs.get("fields") if isinstance(call.receiver, Obj) else None
    return record(fields.items, inside, {}, None) if inside is not None and isinstance(fields, Mapping) else None


# a quantifier behind a group may take exponential time, several in a row take a power of the length
_COSTLY = re.compile(r"\)[*+?{]|[*+?{].*[*+?{].*[*+?{]")


@op("re.split")
def split_by_pattern(call: OpCall) -> Value | None:
    """The parts of a short text between the matches of a simple pattern."""
    pattern, text = call.const(0, "pattern"), call.const(1, "string")
    if not isinstance(pattern, str) or not isinstance(text, str) or len(call.args) + len(call.kwargs) != 2:
        return None
    if max(len(pattern), len(text)) > 64 or _COSTLY.search(pattern):
        return None
    try:
        return Seq("list", [Const(part) for part in re.split(pattern, text)])
    except re.error:
        return None


@op("dataclasses.asdict")
def as_dict(call: OpCall) -> Value | None:
    """The fields of a dataclass as a new dictionary, those of dataclasses inside of it too."""
    holder = call.args[0] if call.args else None
    return plain_fields(holder) if isinstance(holder, Instance) else None


def plain_fields(value: Value) -> Value:
    """A value with the dataclasses in it as dictionaries, and with containers of its own."""
    if isinstance(value, Instance) and has_fields(value.cls):
        fields = [name for name, _, _ in fields_of(value.cls)]
        return Mapping({name: plain_fields(value.attrs.get(name, Unknown(name))) for name in fields})
    if isinstance(value, Mapping):
        return Mapping({key: plain_fields(item) for key, item in value.items.items()}, value.open)
    if isinstance(value, Seq) and value.items is not None and value.kind in ("list", "tuple"):
        return Seq(value.kind, [plain_fields(item) for item in value.items])
    return value


@op("dataclasses.replace")
def replaced(call: OpCall) -> Value | None:
    """A copy of the object with some fields changed."""
    old = call.args[0] if call.args else None
    if not isinstance(old, Instance) or "**" in call.kwargs:
        return None
    made = copied(call.run, old, False, {})
    assert isinstance(made, Instance)
    made.attrs.update(call.kwargs)
    return made


@op("types.SimpleNamespace", "argparse.Namespace", "ml_collections.ConfigDict", "omegaconf.OmegaConf.create")
def namespace(call: OpCall) -> Value | None:
    return dict_(call)


@op("builtins.enumerate")
def enumerate_(call: OpCall) -> Value | None:
    value = call.args[0] if call.args else Unknown()
    wrapped = Obj("builtins.enumerate", "wrapper", call.node, [value])
    wrapped.attrs["element"] = Seq(
        "tuple", [Number("i", dtype="int64"), iterate(call.run, call.scope, value, call.node)]
    )
    inside, start = elements(value), number(call.arg(1, "start")) if len(call.args) > 1 or call.kwargs else 0
    # the places of parts in data, of which one stands for all where memory is counted
    counts = call.run.program.tape is not None and isinstance(value, Seq) and value.kind == "range" and bool(inside)
    if counts and strides(inside or []):
        return wrapped
    if inside is not None and len(inside) <= MOST_ELEMENTS and isinstance(start, int):
        return Seq("list", [Seq("tuple", [Const(i + start), v]) for i, v in enumerate(inside)])
    return wrapped


@op("builtins.zip", "itertools.product")
def zip_(call: OpCall) -> Value | None:
    parts = call.args
    columns = [elements(p) for p in parts]
    known = [c for c in columns if c is not None]
    if "*" in call.kwargs:
        columns_ = transposed(call.kwargs["*"]) if not parts and call.name == "builtins.zip" else None
        if columns_ is not None:
            return Seq("list", columns_)
        known = []
    if call.name == "itertools.product" and parts and len(known) == len(parts) and not call.kwargs:
        if prod(map(len, known)) <= 256:
            return Seq("list", [Seq("tuple", list(row)) for row in product(*known)])
    if call.name == "builtins.zip" and parts and len(known) == len(parts):
        return Seq("list", [Seq("tuple", list(row)) for row in zip(*known, strict=False)])
    wrapped = Obj(call.name, "wrapper", call.node, list(parts))
    row = Seq("tuple", [iterate(call.run, call.scope, p, call.node) for p in parts])
    # `zip(*rows)`: how many there are in each is not known
    wrapped.attrs["element"] = row if "*" not in call.kwargs else Seq("tuple", None, Unknown())
    return wrapped


def transposed(rows: Value) -> list[Value] | None:
    """The columns of `zip(*rows)`: tuples of all first items, all second items …; None where they are not known."""
    if not isinstance(rows, Seq):
        return None
    row = element(rows)
    if not isinstance(row, Seq) or row.items is None:
        return None
    if rows.items is not None and all(isinstance(r, Seq) and r.items is not None for r in rows.items):
        inside = [r.items for r in rows.items if isinstance(r, Seq) and r.items is not None]
        return [Seq("tuple", [items[at] for items in inside]) for at in range(min(map(len, inside)))]
    return [Seq("tuple", None, item, None, rows.count) for item in row.items]


@op(
    "tqdm.tqdm",
    "tqdm.auto.tqdm",
    "tqdm.notebook.tqdm",
    "tqdm.trange",
    "tqdm.rich.tqdm",
    "tqdm.std.tqdm",
    "itertools.cycle",
    "rich.progress.track",
    "fastprogress.progress_bar",
    "tqdm.tqdm_notebook",
)
def progress(call: OpCall) -> Value | None:
    if call.name.endswith("trange"):
        return range_of(call.args)
    value = call.arg(0, "iterable")
    if value is None:
        return None
    if isinstance(value, Seq):
        return value
    wrapped = Obj(call.name, "wrapper", call.node, [value])
    wrapped.attrs["element"] = iterate(call.run, call.scope, value, call.node)
    return wrapped


@method("wrapper", "__iter__")
def iterate_wrapper(call: OpCall) -> Value | None:
    return call.receiver.attrs.get("element") if isinstance(call.receiver, Obj) else None


@method("wrapper", "set_description", "set_postfix", "set_postfix_str", "update", "close", "write", "refresh")
def progress_text(call: OpCall) -> Value | None:
    return Const(None)


@op("builtins.setattr")
def setattr_(call: OpCall) -> Value | None:
    """A `setattr` with an unknown name may change any attribute."""
    from trainlint.analysis.attributes import set_attribute

    if len(call.args) == 3:
        target, name, value = call.args
        if isinstance(name, Const) and isinstance(name.value, str):
            set_attribute(call.run, call.scope, target, name.value, value)
        elif isinstance(target, Mapping):
            target.items, target.open = {}, True
        elif isinstance(target, Instance):
            target.attrs = {key: Unknown(key) for key in target.attrs}
    return Const(None)


@op("functools.partial")
def partial(call: OpCall) -> Value | None:
    if not call.args:
        return None
    return Obj("functools.partial", "partial", call.node, list(call.args), dict(call.kwargs))


@op("functools.wraps", "functools.lru_cache", "functools.cache")
def wraps(call: OpCall) -> Value | None:
    return Unknown("decorator")


@op("os.environ.get", "os.getenv")
def environ(call: OpCall) -> Value | None:
    name, fallback = call.const(0, "key"), call.arg(1, "default")
    if isinstance(fallback, Const) and fallback.value is not None:
        return Const(fallback.value, fallback.origin, f"`${name}`", fallback.literal)
    return Unknown(f"${name}")


@op("fire.Fire", "tyro.cli")
def run_main(call: OpCall) -> Value | None:
    """A command line made from a function or a configuration class: its defaults may be overridden."""
    from trainlint.analysis.calls import call_function
    from trainlint.analysis.classes import default_instance
    from trainlint.analysis.functions import default_of

    target = call.arg(0, "component")
    if isinstance(target, Func):
        defaults = {
            p.name: default_of(call.run, target, p, overridable=True)
            for p in target.node.params
            if p.kind in ("normal", "positional", "keyword")
        }
        return call_function(call.run, call.scope, target, [], defaults, call.node)
    if isinstance(target, Class):
        return default_instance(call.run, target)
    return None


@op("torch.multiprocessing.spawn", "torch.multiprocessing.start_processes")
def spawn(call: OpCall) -> Value | None:
    """`mp.spawn(worker, nprocs=n, args=(…))` calls `worker(rank, …)`."""
    from trainlint.analysis.calls import call as invoke

    function, extra = call.arg(0, "fn"), call.arg(1, "args")
    rest = extra.items if isinstance(extra, Seq) and extra.items is not None else None
    if isinstance(function, Func) and rest is not None:
        invoke(call.run, call.scope, function, [Sym("rank"), *rest], {}, call.node)
    return Const(None)
