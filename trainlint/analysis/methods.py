"""Methods of Python's own objects, and what the use of an unknown object says about it."""

from __future__ import annotations

from trainlint.analysis.facts import EventKind
from trainlint.analysis.run import Run, step
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Array, Const, Mapping, Obj, Seq, Unknown, Value, element, join, one_of
from trainlint.syntax import ir

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
        return Unknown(f"{receiver.name}.item()")
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
    if isinstance(receiver, Seq):
        return _sequence_method(run, scope, receiver, name, args, node)
    if isinstance(receiver, Mapping):
        return _mapping_method(receiver, name, args, kwargs)
    if isinstance(receiver, Const):
        if isinstance(receiver.value, str):
            return _string_method(receiver, name, args)
        if name == "item":
            return receiver
        if receiver.value is None:
            return Unknown()
    return Unknown()


def _sequence_method(run: Run, scope: Scope, seq: Seq, name: str, args: list[Value], node: ir.Expr) -> Value:
    if name in ("append", "add", "insert") and args:
        value = args[-1]
        run.event("append", node, scope, seq, value, name=name)
        certain = not run.conds and not run.loops
        if seq.items is not None and (certain or not seq.items) and name == "append" and not run.loops:
            if certain:
                seq.items.append(value)
                return Const(None)
        seq.elem = value if seq.items == [] else join(element(seq), value)
        seq.items = None
        return Const(None)
    if name == "extend" and args:
        other = args[0]
        if isinstance(other, Seq):
            if seq.items is not None and other.items is not None and not run.conds and not run.loops:
                seq.items.extend(other.items)
            else:
                seq.elem = one_of((element(seq), element(other))) if seq.items != [] else element(other)
                seq.items = None
        else:
            run.event("append", node, scope, seq, other, name=name)
            seq.items, seq.elem = None, Unknown()
        return Const(None)
    if name == "copy":
        return Seq(seq.kind, list(seq.items) if seq.items is not None else None, seq.elem, seq.origin)
    if name == "pop":
        result = element(seq)
        seq.elem, seq.items = result, None
        return result
    if name in ("clear", "remove", "sort", "reverse"):
        if name != "sort":
            seq.elem, seq.items = element(seq), None
        return Const(None)
    return Unknown()


def _mapping_method(mapping: Mapping, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    if name in ("get", "pop", "setdefault") and args:
        key = args[0]
        fallback = args[1] if len(args) > 1 else Const(None)
        if isinstance(key, Const):
            found = mapping.items.get(key.value) if isinstance(key.value, (str, int)) else None
            if found is not None:
                return found
            if not mapping.open:
                if name == "setdefault" and isinstance(key.value, (str, int)):
                    mapping.items[key.value] = fallback
                return fallback
        return Unknown()
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
        other = args[0] if args else None
        if isinstance(other, Mapping):
            mapping.items.update(other.items)
            mapping.open = mapping.open or other.open
        elif other is not None:
            # anything may be overwritten
            mapping.items, mapping.open = {}, True
        mapping.items.update({k: v for k, v in kwargs.items() if k not in ("*", "**")})
        mapping.open = mapping.open or "**" in kwargs
        return Const(None)
    if name == "copy":
        return Mapping(dict(mapping.items), mapping.open, mapping.origin)
    return Unknown()


def _string_method(text: Const, name: str, args: list[Value]) -> Value:
    plain = [a.value for a in args if isinstance(a, Const)]
    if len(plain) != len(args) or name not in ("lower", "upper", "strip", "startswith", "endswith", "replace"):
        return Unknown()
    try:
        return Const(getattr(text.value, name)(*plain), text.origin, text.default)
    except (TypeError, ValueError):
        return Unknown()
