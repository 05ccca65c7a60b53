"""`vars(x)` and `module.__dict__`: what has a name, by its name."""

from __future__ import annotations

from trainlint.analysis.attributes import WorkspaceModule, get_attribute
from trainlint.analysis.registry import OpCall, method, op
from trainlint.analysis.values import Ext, Mapping, Obj, Unknown, Value


@op("builtins.vars")
def vars_(call: OpCall) -> Value | None:
    """The dictionary of a namespace of options, or the names of a module."""
    value = call.args[0] if call.args else None
    if isinstance(value, (Ext, WorkspaceModule)):
        return get_attribute(call.run, call.scope, value, "__dict__", call.node)
    return value if isinstance(value, Mapping) else Mapping({}, True)


@method("namespace", "__getitem__", "get")
def named(call: OpCall) -> Value | None:
    """`models.__dict__["resnet18"]` is `models.resnet18`."""
    name = call.const(0, "key")
    if not isinstance(call.receiver, Obj) or not isinstance(name, str):
        return Unknown()
    return get_attribute(call.run, call.scope, call.receiver.args[0], name, call.node)
