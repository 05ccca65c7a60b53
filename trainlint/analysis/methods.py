"""Methods of Python's own objects, and what the use of an unknown object says about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.devices import TENSOR_METHODS
from trainlint.analysis.facts import EventKind
from trainlint.analysis.iteration import elements
from trainlint.analysis.joins import element, join, one_of
from trainlint.analysis.modules import pairs_of
from trainlint.analysis.run import Run, step
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import KEYS, Const, Mapping, Named, Number, Obj, Seq, Unknown, Value, known
from trainlint.syntax import ir

# lists longer than this are described by their elements, texts longer than this are not known
MAX_ITEMS = 1024
MAX_TEXT = 1 << 20
# methods that tell what an unknown receiver is and what happens to it
_EVENTS: dict[str, EventKind] = {
    "zero_grad": "zero_grad",
    "backward": "backward",
    "step": "step",
    "train": "train_mode",
    "eval": "eval_mode",
    "unscale_": "unscale",
    "set_epoch": "set_epoch",
    "item": "item",
}
# methods that give the same thing back, moved or cast (the identity of a model survives `.to(device)`)
_SAME = frozenset({"to", "cuda", "cpu", "float", "half", "double", "bfloat16", "contiguous", "requires_grad_", "clone"})
# methods of tensors, models and containers that cannot clear gradients or step an optimizer
_HARMLESS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "size",
        "dim",
        "numel",
        "view",
        "reshape",
        "permute",
        "transpose",
        "squeeze",
        "unsqueeze",
        "flatten",
        "mean",
        "sum",
        "max",
        "min",
        "argmax",
        "argmin",
        "sigmoid",
        "softmax",
        "log_softmax",
        "tanh",
        "relu",
        "abs",
        "pow",
        "sqrt",
        "exp",
        "log",
        "detach",
        "cpu",
        "numpy",
        "tolist",
        "parameters",
        "named_parameters",
        "modules",
        "named_modules",
        "children",
        "buffers",
        "state_dict",
        "load_state_dict",
        "keys",
        "values",
        "items",
        "get",
        "format",
        "join",
        "split",
        "strip",
        "update",
        "reset",
        "compute",
        "write",
        "info",
        "debug",
        "warning",
        "add_scalar",
        "add_image",
        "add_scalars",
        "set_description",
        "set_postfix",
        "set_postfix_str",
        "flush",
        "close",
        "copy_",
        "fill_",
        "masked_fill_",
        "masked_fill",
        "eq",
        "ne",
        "gt",
        "lt",
        "ge",
        "le",
        "type",
        "type_as",
        "expand",
        "repeat",
        "chunk",
        "gather",
        "scatter_",
        "index_select",
        "all",
        "any",
        "long",
        "int",
        "bool",
        "byte",
        "float",
        "apply",
        "get_last_lr",
        "isnan",
        "isinf",
    ]
)


def unknown_method(
    run: Run, scope: Scope, receiver: Unknown, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """A method of an unknown object: an event where its name says so, an unknown call where it may do anything."""
    kind = _EVENTS.get(name)
    if kind is not None:
        return _telling(run, scope, kind, receiver, args, kwargs, node)
    if name in ("parameters", "named_parameters", "state_dict") and not args:
        if name == "parameters" and receiver.promised is None:
            receiver.promised = "module"
        return Obj("parameters", name, node, [receiver])
    if name in _SAME:
        return receiver
    if name in ("append", "add", "extend", "insert") and args:
        run.event("append", node, scope, receiver, args[-1], name=name)
        return Const(None)
    if name in ("zero_", "fill_") and "grad" in receiver.name.rpartition(".")[2] + receiver.name:
        run.event("zero_grad", node, scope, receiver, name="grad")
        return receiver
    if name == "detach":
        return Array(grad=False, origin=step(scope.file, node, "detached", receiver))
    if name in ("cpu", "numpy", "tolist"):
        return Array(lib="numpy", grad=False) if name == "numpy" else Unknown(f"{receiver.name}.{name}()")
    if name in TENSOR_METHODS and receiver.promised is None:
        receiver.promised = "tensor"
    if name not in _HARMLESS:
        run.event("unknown_call", node, scope, receiver, None, (receiver, *args, *kwargs.values()), name)
    if name in ("argmax", "argmin", "eq", "ne", "gt", "lt"):
        return Array(grad=False, range="index" if name.startswith("arg") else None, via=None)
    if name in ("softmax", "log_softmax", "sigmoid"):
        from trainlint.analysis import registry

        handler = registry.ARRAY_METHODS.get(name)
        if handler is not None:
            result = handler(registry.OpCall(run, scope, node, name, args, kwargs, Array()))
            if result is not None:
                return result
    return Unknown(f"{receiver.name}.{name}(…)" if receiver.name else "", step(scope.file, node, name, receiver))


def _telling(
    run: Run,
    scope: Scope,
    kind: EventKind,
    receiver: Unknown,
    args: list[Value],
    kwargs: dict[str, Value],
    node: ir.Expr,
) -> Value:
    if kind == "step":
        return _step_of_unknown(run, scope, receiver, args, kwargs, node)
    if kind == "item":
        run.event("item", node, scope, receiver)
        return Number(f"{receiver.name}.item()")
    if kind == "backward":
        run.event("backward", node, scope, receiver, None, (*args, *kwargs.values()))
        return Const(None)
    if kind in ("train_mode", "eval_mode"):
        if receiver.promised is None and not receiver.name.startswith("self"):
            receiver.promised = "module"
        mode = args[0] if args else kwargs.get("mode")
        run.event(kind, node, scope, receiver, mode)
        return receiver
    run.event(kind, node, scope, receiver, None, (*args, *kwargs.values()))
    return Const(None)


def _step_of_unknown(
    run: Run, scope: Scope, receiver: Unknown, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """`x.step(…)`: a gradient scaler where an optimizer is passed, a scheduler by name, else an optimizer."""
    first = args[0] if args else None
    if isinstance(first, Obj) and first.kind == "optimizer":
        run.event("scaler_step", node, scope, receiver, first)
        run.event("step", node, scope, first, receiver)
        return Unknown()
    name = receiver.name.lower()
    if receiver.promised == "scheduler" or "sched" in name:
        run.event("scheduler_step", node, scope, receiver, None, tuple(args))
        return Unknown()
    if "scaler" in name and isinstance(first, Unknown):
        run.event("scaler_step", node, scope, receiver, first)
        run.event("step", node, scope, first, receiver)
        return Unknown()
    run.event("step", node, scope, receiver, None, (*args, *kwargs.values()))
    if args:
        run.event("unknown_call", node, scope, receiver, None, tuple(args), "step")
    return Unknown(f"{receiver.name}.step(…)")


def call_builtin_method(
    run: Run, scope: Scope, receiver: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """A method of a list, dict, string or number."""
    if isinstance(receiver, Named) and name in ("_replace", "_asdict") and not args and receiver.items is not None:
        fields = dict(zip(receiver.fields, receiver.items, strict=True))
        if name == "_asdict":
            return Mapping(fields)
        changed = {**fields, **{k: v for k, v in kwargs.items() if k in fields}}
        return Named(receiver.fields, list(changed.values()), receiver.cls) if "**" not in kwargs else Unknown()
    if isinstance(receiver, Seq):
        return _sequence_method(run, scope, receiver, name, args or list(kwargs.values()), node)
    if isinstance(receiver, Mapping):
        if name == "to" and receiver.items and all(isinstance(v, Array) for v in receiver.items.values()):
            # what a tokenizer gives moves as one
            from trainlint.analysis.calls import call_method

            moved = {k: call_method(run, scope, v, name, args, kwargs, node) for k, v in receiver.items.items()}
            return Mapping(moved, receiver.open, receiver.origin)
        return _mapping_method(run, receiver, name, args, kwargs)
    if isinstance(receiver, Const):
        if isinstance(receiver.value, str):
            return _string_method(receiver, name, args, kwargs)
        if name == "item":
            return receiver
        if receiver.value is None:
            return Unknown()
    return Unknown()


def _sequence_method(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    handler = _SEQUENCE.get(name)
    return handler(run, scope, seq, name, args, node) if handler is not None else Unknown()


def settled(run: Run, holder: Seq | Mapping) -> bool:
    """Is a change of the list or dict certain? Not where an earlier round of a loop may have made other changes."""
    return holder.born >= run.floor


def _append(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    if not args:
        return Unknown()
    value = args[-1]
    run.event("append", node, scope, seq, value, name=name)
    run.touch(seq)
    at = args[0].value if name == "insert" and len(args) == 2 and isinstance(args[0], Const) else None
    if seq.items is not None and settled(run, seq) and len(seq.items) < MAX_ITEMS:
        if name == "append" or (name == "add" and not any(value is item for item in seq.items)):
            seq.items.append(value)
            return Const(None)
        if isinstance(at, int):
            seq.items.insert(at, value)
            return Const(None)
    seq.covered(value if seq.items == [] else join(element(seq), value), grown(run, seq, Const(1)))
    return Const(None)


def grown(run: Run, seq: Seq, added: Value | None) -> Value | None:
    """The length of a list to which something of a known length is added at this place, None where it is not known.

    In a loop it is added as often as the loop runs; where a condition decides about it, the two lengths are joined
    after the branches.
    """
    if seq.count is None or added is None:
        return None
    if settled(run, seq):
        return dims.add(seq.count, added)
    rounds = run.loops[-1].rounds if run.loops else None
    if rounds is None or seq.born < run.outer_floor:
        return None
    return dims.add(seq.count, dims.mul(rounds, added))


def _extend(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    if not args:
        return Unknown()
    extend(run, seq, args[0])
    if not isinstance(args[0], Seq):
        run.event("append", node, scope, seq, args[0], name=name)
    return Const(None)


def extend(run: Run, seq: Seq, other: Value) -> None:
    """`seq += other`, in place."""
    run.touch(seq)
    added = elements(other)
    if added is not None and seq.items is not None and settled(run, seq) and len(seq.items) + len(added) <= MAX_ITEMS:
        seq.items.extend(added)
    elif isinstance(other, Seq):
        elem = element(other) if seq.items == [] else element(seq) if other.items == [] else None
        both = elem if elem is not None else one_of((element(seq), element(other)))
        seq.covered(both, grown(run, seq, other.count))
    else:
        seq.covered(Unknown())


def _pop(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    at = args[0].value if args and isinstance(args[0], Const) else -1 if not args else None
    run.touch(seq)
    if seq.items is not None and settled(run, seq) and isinstance(at, int) and -len(seq.items) <= at < len(seq.items):
        return seq.items.pop(at)
    result = element(seq)
    seq.covered(result, dims.sub(seq.count, Const(1)) if seq.count is not None and settled(run, seq) else None)
    return result


def _reorder(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    run.touch(seq)
    if settled(run, seq) and seq.items is not None and name in ("clear", "reverse"):
        seq.items = [] if name == "clear" else seq.items[::-1]
    elif settled(run, seq) and seq.items is not None and (left := _arranged(seq.items, name, args)) is not None:
        seq.items = left
    elif name == "clear" and settled(run, seq):
        seq.items = []
    else:
        seq.covered(element(seq), seq.count if name in ("sort", "reverse") else None)
    return Const(None)


def _arranged(items: list[Value], name: str, args: list[Value]) -> list[Value] | None:
    """The items after `remove` or `sort`, of constants, or `popleft`; None where they are not known."""
    if name == "popleft":
        return items[1:] if items else None
    plain = [item.value for item in items if isinstance(item, Const)]
    wanted = args[0] if args else None
    if len(plain) != len(items):
        return None
    if name == "remove" and isinstance(wanted, Const) and wanted.value in plain:
        at = plain.index(wanted.value)
        return items[:at] + items[at + 1 :]
    if name == "sort" and wanted is None and len({type(value) for value in plain}) <= 1:
        return [items[i] for i in sorted(range(len(plain)), key=plain.__getitem__)]
    return None


def _popleft(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    first = seq.items[0] if seq.items and settled(run, seq) else element(seq)
    _reorder(run, scope, seq, name, args, node)
    return first


def _index(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    """`index` and `count` of a constant among constants."""
    wanted = args[0] if args else None
    if seq.items is None or not isinstance(wanted, Const) or not all(isinstance(i, Const) for i in seq.items):
        return Unknown()
    plain = [item.value for item in seq.items if isinstance(item, Const)]
    if name == "count":
        return Const(plain.count(wanted.value))
    return Const(plain.index(wanted.value)) if wanted.value in plain else Unknown()


def _copy(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    made = Seq(seq.kind, list(seq.items) if seq.items is not None else None, seq.elem, seq.origin, seq.length)
    made.born = run.tick()
    return made


_SEQUENCE: dict[str, Callable[[Run, Scope, Seq, str, list[Value], ir.Expr], Value]] = {
    "append": _append,
    "appendleft": _reorder,
    "add": _append,
    "insert": _append,
    "extend": _extend,
    "pop": _pop,
    "popleft": _popleft,
    "clear": _reorder,
    "remove": _reorder,
    "sort": _reorder,
    "reverse": _reorder,
    "index": _index,
    "count": _index,
    "copy": _copy,
}


def _mapping_method(run: Run, mapping: Mapping, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    if name in ("get", "pop", "setdefault") and args:
        return _lookup(run, mapping, name, args)
    if name in ("items", "values", "keys"):
        if mapping.open:
            return Seq("list", None, Unknown())
        pairs: dict[str, list[Value]] = {
            "items": [Seq("tuple", [Const(k), v]) for k, v in mapping.items.items()],
            "values": list(mapping.items.values()),
            "keys": [Const(k) for k in mapping.items],
        }
        return Seq("list", list(pairs[name]))
    if name == "update":
        _update(run, mapping, args, kwargs)
        return Const(None)
    if name == "copy":
        made = Mapping(dict(mapping.items), mapping.open, mapping.origin)
        made.born = run.tick()
        return made
    if name == "clear":
        run.touch(mapping)
        mapping.items = {}
        return Const(None)
    return Unknown()


def _lookup(run: Run, mapping: Mapping, name: str, args: list[Value]) -> Value:
    key, fallback = args[0], args[1] if len(args) > 1 else Const(None)
    if not isinstance(key, Const) or not isinstance(key.value, KEYS):
        # one of them, or what is given instead
        each = [*mapping.items.values(), fallback]
        return reduce(join, each) if name == "get" and not mapping.open else Unknown()
    found = mapping.items.get(key.value)
    if found is not None:
        if name == "pop":
            run.touch(mapping)
            del mapping.items[key.value]
            mapping.open = mapping.open or not settled(run, mapping)
        return found
    if mapping.open:
        return Unknown()
    if name == "setdefault":
        run.touch(mapping)
        mapping.items[key.value] = fallback
    return fallback


def _update(run: Run, mapping: Mapping, args: list[Value], kwargs: dict[str, Value]) -> None:
    run.touch(mapping)
    other = args[0] if args else None
    if isinstance(other, Mapping):
        mapping.items.update(other.items)
        mapping.open = mapping.open or other.open
    elif isinstance(other, Seq) and other.items is not None and (pairs := pairs_of(other.items)) is not None:
        mapping.items.update(pairs)
    elif other is not None:
        # anything may be overwritten
        mapping.items, mapping.open = {}, True
    mapping.items.update({k: v for k, v in kwargs.items() if k not in ("*", "**")})
    mapping.open = mapping.open or "**" in kwargs


_TEXT = frozenset(
    [
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "startswith",
        "endswith",
        "replace",
        "title",
        "capitalize",
        "split",
        "rsplit",
        "isdigit",
        "isupper",
        "islower",
        "find",
        "count",
        "removeprefix",
        "removesuffix",
        "zfill",
        "format",
        "partition",
        "rpartition",
    ]
)


def _string_method(text: Const, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    if name == "join" and len(args) == 1 and isinstance(args[0], Seq) and args[0].items is not None:
        parts = [item.value for item in args[0].items if isinstance(item, Const) and isinstance(item.value, str)]
        return Const(text.value.join(parts)) if len(parts) == len(args[0].items) else Unknown()
    plain = [tuple(_plain(a.items)) if isinstance(a, Seq) and a.items else known(a) for a in args]
    complete = all(isinstance(a, Const) or (isinstance(a, Seq) and p) for a, p in zip(args, plain, strict=True))
    named = {key: value.value for key, value in kwargs.items() if isinstance(value, Const)}
    if not complete or len(named) != len(kwargs) or name not in _TEXT:
        return Unknown()
    try:
        result = getattr(text.value, name)(*plain, **named)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, MemoryError):
        return Unknown()
    if isinstance(result, (list, tuple)):
        return Seq("list" if isinstance(result, list) else "tuple", [Const(part) for part in result])
    if isinstance(result, str) and len(result) > MAX_TEXT:
        return Unknown()
    return Const(result, text.origin, text.default)


def _plain(items: list[Value]) -> list[object]:
    values = [item.value for item in items if isinstance(item, Const)]
    return values if len(values) == len(items) else []
