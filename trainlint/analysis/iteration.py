"""What a `for` gets from a value, and how targets are bound."""

from __future__ import annotations

from functools import reduce

from trainlint.analysis import dims, registry
from trainlint.analysis.arrays import Array
from trainlint.analysis.dims import symbol, usual
from trainlint.analysis.joins import MAX_ALTERNATIVES, element, join, one_of, same_count
from trainlint.analysis.listing import LISTINGS, listed
from trainlint.analysis.modules import children, container, items
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.tape import record, settled
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
    Round,
    Seq,
    Sym,
    Unknown,
    Value,
    is_none,
    known,
)
from trainlint.syntax import ir

MOST_ELEMENTS = 4096
# the most elements of a tensor that are told apart as views
MOST_VIEWS = 256


def iterate(run: Run, scope: Scope, value: Value, node: ir.Expr) -> Value:
    """A value that covers every element that iterating `value` gives."""
    if isinstance(value, Seq):
        if value.kind == "range" and value.items and run.program.tape is not None and strides(value.items):
            # one of the numbers, so that `x[i:i + n]` has a length
            return symbol("i", key=Round(), value=value.items[0])
        return element(value)
    if isinstance(value, Unknown):
        if value.attrs is None:
            value.attrs = {}
        found = value.attrs.get("[]")
        if found is None:
            found = value.attrs["[]"] = Unknown(f"an element of {value.name}" if value.name else "")
        return found
    if isinstance(value, Mapping):
        if value.items and not value.open:
            return one_of(tuple(Const(key) for key in value.items))
        return Unknown()
    if isinstance(value, Obj):
        for owner in (value.name, value.kind):
            handler = registry.METHODS.get((owner, "__iter__"))
            if handler is not None:
                call = registry.OpCall(run, scope, node, "__iter__", [], {}, value)
                result = handler(call)
                if result is not None:
                    return result
        return Unknown(f"an element of {value.name.rpartition('.')[2]}")
    if isinstance(value, Instance):
        return iterate_instance(run, scope, value, node)
    if isinstance(value, OneOf):
        return one_of(tuple(iterate(run, scope, v, node) for v in value.values if not is_none(v)))
    if isinstance(value, Array):
        handler = registry.ARRAY_METHODS.get("__iter__")
        if handler is not None:
            call = registry.OpCall(run, scope, node, "__iter__", [], {}, value)
            return handler(call) or Unknown()
    if isinstance(value, Const) and isinstance(value.value, str):
        return Unknown()
    return Unknown()


def strides(numbers: list[Value]) -> bool:
    """Do the numbers of a range go in steps, or are they more than can be told one by one?"""
    first, second = (known(number) for number in (numbers * 2)[:2])
    return len(numbers) > MAX_ALTERNATIVES or (len(numbers) > 1 and second != first + 1)


def elements(value: Value) -> list[Value] | None:
    """The elements that iterating a value gives, in order, None where they are not all known."""
    if isinstance(value, Seq):
        return list(value.items) if value.items is not None and value.kind != "set" else None
    if isinstance(value, Mapping):
        return None if value.open else [Const(key) for key in value.items]
    if isinstance(value, Obj) and value.kind in LISTINGS:
        return listed(value)
    if isinstance(value, (Obj, Instance)) and container(value) is not None:
        if container(value) == "torch.nn.ModuleDict":
            inside = children(value)
            return None if inside is None else [Const(name) for name in inside]
        return items(value)
    if isinstance(value, Class) and value.extends("enum.Enum", "enum.IntEnum", "enum.StrEnum"):
        from trainlint.analysis.classes import members

        return list(members(value))
    if isinstance(value, Const) and isinstance(value.value, str) and len(value.value) <= MOST_ELEMENTS:
        return [Const(letter) for letter in value.value]
    if isinstance(value, Array) and value.numbers is not None and value.rank == 1:
        return [value.but(shape=(), numbers=(number,)) for number in value.numbers]
    return None


def told_apart(run: Run, scope: Scope, array: Array, node: ir.Expr) -> Seq | None:
    """The elements of a tensor along its first axis, of which each is a number or a tensor like the others."""
    count = usual(array.shape[0]) if array.shape else None
    if array.numbers is not None:
        return Seq("list", elements(array))
    if count is None or not 0 < count <= MOST_ELEMENTS:
        return None
    return Seq("list", [iterate(run, scope, array, node)] * count)


def taken_apart(run: Run, scope: Scope, array: Array, node: ir.Expr) -> Seq | None:
    """The elements that a loop over a tensor takes one by one, views of it as `Tensor.unbind` gives them."""
    apart = told_apart(run, scope, array, node)
    if apart is None or apart.items is None or len(apart.items) > MOST_VIEWS or array.lib != "torch" or not array.shape:
        return apart
    before = len(run.program.tape.entries) if run.program.tape is not None else 0
    views = Seq("list", [item.but(numbers=item.numbers) if isinstance(item, Array) else item for item in apart.items])
    made = record(run, scope, "Tensor.unbind", node, [array], views, [], {}, before)
    return made if isinstance(made, Seq) else views


def iterate_instance(run: Run, scope: Scope, value: Instance, node: ir.Expr) -> Value:
    from trainlint.analysis.attributes import bind
    from trainlint.analysis.calls import call_function

    protocols: tuple[tuple[str, list[Value]], ...] = (
        ("__iter__", []),
        ("__getitem__", [Number("index", dtype="int64")]),
    )
    for name, args in protocols:
        member = value.cls.find(name)
        if isinstance(member, Func):
            result = call_function(run, scope, bind(member, value), args, {}, node)
            if name == "__getitem__":
                return result
            return iterate(run, scope, result, node) if not isinstance(result, Instance) else Unknown()
    return Unknown()


def bind_target(run: Run, scope: Scope, target: ir.Expr, value: Value) -> None:
    """Assign `value` to a name, attribute, item or display of targets."""
    watch = run.program.watch
    if watch is not None and target.stmt in watch.statements:
        watch.see(run, target, value)
    if isinstance(target, ir.Name):
        outer = scope.outer(target.id) if scope.globals is not None or scope.nonlocals is not None else None
        if outer is None:
            scope.names[target.id] = value
        else:
            bind_outside(run, outer, target.id, value)
    elif isinstance(target, ir.Attr):
        from trainlint.analysis.attributes import set_attribute
        from trainlint.analysis.expressions import evaluate

        holder = evaluate(run, scope, target.value)
        if target.name == "grad":
            # `p.grad = None` clears gradients by hand
            run.event("zero_grad", target, scope, holder, name="grad")
        if target.name == "requires_grad" and watch is not None and isinstance(holder, Obj):
            if holder.kind == "parameter":
                watch.frozen.add(id(target))
        setter = holder.cls.find(f"{target.name}.setter") if isinstance(holder, Instance) else None
        if isinstance(setter, Func):
            from trainlint.analysis.attributes import bind
            from trainlint.analysis.calls import call_function

            call_function(run, scope, bind(setter, holder), [value], {}, target)
            return
        set_attribute(run, scope, holder, target.name, value)
        if target.name == "data":
            # the tensor takes the place of the one before, which dies
            settled(run, value)
        if isinstance(holder, Obj):
            run.program.attribute_written(run, scope, holder, target, value)
    elif isinstance(target, ir.Subscript):
        from trainlint.analysis.indexing import set_item

        set_item(run, scope, target, value)
    elif isinstance(target, ir.Sequence):
        unpack(run, scope, target, value)
    elif isinstance(target, ir.Star):
        bind_target(run, scope, target.value, value)


def bind_outside(run: Run, outer: Scope, name: str, value: Value) -> None:
    """Assign a name that is declared `global` or `nonlocal`: a branch or loop around the call may not have done so."""
    old = outer.names.get(name)
    if old is not None and old is not value:
        if run.loops and isinstance(old, Const) and not is_none(old):
            # each round may count on from what the last one left
            value = Unknown(name)
        elif run.journal is not None or run.loops:
            value = join(old, value)
    outer.names[name] = value


def unpack(run: Run, scope: Scope, target: ir.Sequence, value: Value) -> None:
    stars = [i for i, t in enumerate(target.elts) if isinstance(t, ir.Star)]
    if isinstance(value, Obj) and value.kind == "size":
        value = sizes(run, scope, value, len(target.elts), stars, target)
    if isinstance(value, (Obj, Instance)) and container(value) is not None:
        # a `ModuleList` of layers
        inside = elements(value)
        value = Seq("list", inside) if inside is not None else value
    if isinstance(value, Seq) and value.items is not None:
        count = len(target.elts)
        if not stars and len(value.items) == count:
            for part, item in zip(target.elts, value.items, strict=True):
                bind_target(run, scope, part, item)
            return
        if len(stars) == 1 and len(value.items) >= count - 1:
            at, tail = stars[0], count - stars[0] - 1
            stop = len(value.items) - tail
            for part, item in zip(target.elts[:at], value.items[:at], strict=True):
                bind_target(run, scope, part, item)
            bind_target(run, scope, target.elts[at], Seq("list", value.items[at:stop]))
            for part, item in zip(target.elts[at + 1 :], value.items[stop:], strict=True):
                bind_target(run, scope, part, item)
            return
    if isinstance(value, OneOf) and not stars:
        columns: list[Value | None] = [None] * len(target.elts)
        for option in value.values:
            if not (isinstance(option, Seq) and option.items is not None and len(option.items) == len(columns)):
                break
            columns = [
                item if old is None else join(old, item) for old, item in zip(columns, option.items, strict=True)
            ]
        else:
            for part, column in zip(target.elts, columns, strict=True):
                bind_target(run, scope, part, column if column is not None else Unknown())
            return
    for index, part in enumerate(target.elts):
        if isinstance(value, Seq):
            bind_target(run, scope, part, element(value))
        elif isinstance(value, Array):
            bind_target(run, scope, part, iterate(run, scope, value, part))
        else:
            bind_target(run, scope, part, numbered(value, index))


def sizes(run: Run, scope: Scope, value: Obj, count: int, stars: list[int], node: ir.Expr) -> Value:
    """The parts of `a, b, c = x.shape` where the number of axes was not known; after it, it is."""
    handler = registry.METHODS.get(("size", "__getitem__"))
    if handler is None or stars:
        return value
    items = [
        handler(registry.OpCall(run, scope, node, "__getitem__", [Const(i)], {}, value)) or Unknown()
        for i in range(count)
    ]
    array = value.attrs.get("array")
    if isinstance(array, Array) and (array.tail is None or len(array.tail) <= count):
        if array.tail is not None:
            items[count - len(array.tail) :] = [
                item if isinstance(known, Unknown) else known
                for item, known in zip(items[count - len(array.tail) :], array.tail, strict=True)
            ]
        ranked = array.but(shape=tuple(items))
        for name, other in scope.names.items():
            if other is array:
                scope.names[name] = ranked
    return Seq("tuple", items)


def numbered(value: Value, index: int) -> Value:
    """The `index`-th part of an unknown: the same Unknown each time."""
    if not isinstance(value, Unknown):
        return Unknown()
    if value.attrs is None:
        value.attrs = {}
    key = f"[{index}]"
    found = value.attrs.get(key)
    if found is None:
        found = value.attrs[key] = Unknown(f"{value.name}[{index}]" if value.name else "")
    return found


def range_of(args: list[Value], assuming: bool = False, most: int = 64, counted: bool = False) -> Value:
    """`range(…)`: its items where it is short and constant, else its bounds.

    `counted`: a number that is usually the first one instead, so that `x[i:i + n]` has a length.
    """
    numbers = [a.value if isinstance(a, Const) else None for a in args]
    ints = [n for n in numbers if isinstance(n, int)]
    default = next((a.default for a in args if isinstance(a, Const) and a.default), None)
    # another number of rounds may be asked for where a bound is only a default
    overridable = default is not None and not assuming
    if not args or len(ints) != len(args) or len(ints) > 3 or overridable:
        first = next(iter(numbers), None) if len(args) > 1 else 0
        length = steps(args)
        if counted and isinstance(first, int):
            return Seq("range", None, symbol("i", key=Round(), value=Const(first), low=0), None, length)
        return Seq("range", None, Sym("i", low=0 if len(args) == 1 else None), None, length)
    try:
        values = range(*ints)
    except ValueError:
        return Seq("range", None, Unknown())
    if len(values) <= most:
        return Seq("range", [Const(i, None, default) for i in values])
    length = Const(len(values), None, default)
    if counted and len(values):
        low_ = 0 if min(values[0], values[-1]) >= 0 else None
        return Seq("range", None, symbol("i", key=Round(), value=Const(values[0]), low=low_), None, length)
    low, high = (values[0], values[-1]) if len(values) else (0, 0)
    return Seq("range", None, Range(min(low, high), max(low, high)), None, length)


def steps(args: list[Value]) -> Value | None:
    """How many numbers a range with these bounds has, None where that is not known."""
    start, stop = (Const(0), args[0]) if len(args) == 1 else (args[0], args[1]) if args else (None, None)
    by = args[2] if len(args) > 2 else Const(1)
    stride = known(by)
    if start is None or not isinstance(stride, int) or isinstance(stride, bool) or stride < 1 or len(args) > 3:
        return None
    length = dims.sub(stop, start)
    if stride > 1:
        length = dims.floordiv(dims.add(length, Const(stride - 1)), by)
    usual_ = usual(length)
    certain = dims.at_least(length, Const(0)) is True or (usual_ is not None and usual_ >= 0)
    return length if certain else None


def count_of(run: Run, scope: Scope, value: Value, node: ir.Expr) -> Value | None:
    """How many elements iterating a value gives, None where that is not known."""
    if isinstance(value, Seq):
        return value.count
    if isinstance(value, Mapping):
        return None if value.open else Const(len(value.items))
    if isinstance(value, Const):
        return Const(len(value.value)) if isinstance(value.value, str) else None
    if isinstance(value, Array):
        return value.shape[0] if value.shape and dims.poly_of(value.shape[0]) is not None else None
    if isinstance(value, Obj) and value.kind == "wrapper":
        counts = [count_of(run, scope, part, node) for part in value.args]
        return reduce(same_count, counts) if counts else None
    if isinstance(value, (Obj, Instance)) and (value.kind == "loader" if isinstance(value, Obj) else True):
        handler = registry.FUNCTIONS.get("builtins.len")
        call = registry.OpCall(run, scope, node, "builtins.len", [value], {})
        length = handler(call) if handler is not None else None
        return length if usual(length) is not None else None
    return None
