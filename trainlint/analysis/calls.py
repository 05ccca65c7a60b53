"""Calls: of workspace functions (interpreted in place), classes, external functions (by the op table) and objects."""

from __future__ import annotations

from trainlint.analysis import registry
from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.attributes import Method, WorkspaceModule, bind, get_attribute
from trainlint.analysis.branches import each
from trainlint.analysis.classes import fill_fields, has_fields, instantiate
from trainlint.analysis.devices import (
    MOVES,
    placed,
    promise,
    report_fed,
    report_mixed,
    report_move,
    takes_tensors,
)
from trainlint.analysis.facts import Call
from trainlint.analysis.functions import bind_parameters, decorator_context
from trainlint.analysis.joins import join, one_of
from trainlint.analysis.methods import call_builtin_method, unknown_method
from trainlint.analysis.modules import OWN, container, fill_container, is_module, library_layer, partial_children
from trainlint.analysis.parameters import CAST
from trainlint.analysis.run import Frame, Run, step
from trainlint.analysis.scope import Scope
from trainlint.analysis.tape import left, record
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Member,
    Named,
    Obj,
    OneOf,
    Seq,
    Unknown,
    Value,
    is_none,
)
from trainlint.syntax import ir


def call(run: Run, scope: Scope, callee: Value, args: list[Value], kwargs: dict[str, Value], node: ir.Expr) -> Value:
    """`callee(*args, **kwargs)`."""
    if isinstance(callee, Func):
        return call_function(run, scope, callee, args, kwargs, node)
    if isinstance(callee, Ext):
        return call_external(run, scope, callee.name, args, kwargs, node)
    if isinstance(callee, Class):
        return instantiate(run, scope, callee, args, kwargs, node)
    if isinstance(callee, (Instance, Obj)):
        # `Module.__call__` holds the arguments until it is left, whatever `forward` does with their names
        holding = run.program.tape is not None and is_module(callee)
        if holding:
            run.given.append((*args, *kwargs.values()))
        if isinstance(callee, Instance):
            result = call_instance(run, scope, callee, args, kwargs, node)
        else:
            result = call_object(run, scope, callee, args, kwargs, node)
        if holding:
            run.given.pop()
        if run.program.watch is not None:
            run.program.watch.gave(callee, result)
        return result
    if isinstance(callee, Method):
        return call_method(run, scope, callee.receiver, callee.name, args, kwargs, node)
    if isinstance(callee, OneOf):
        options = [v for v in callee.values if not is_none(v)]
        return one_of(tuple(each(run, options, lambda v: call(run, scope, v, args, kwargs, node))))
    return call_unknown(run, scope, callee, args, kwargs, node)


def call_unknown(
    run: Run, scope: Scope, callee: Value, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """A call of something that is not known: an event that closed-world rules look at, and an Unknown result."""
    name = callee.name if isinstance(callee, Unknown) else ""
    assumed = run.program.assumed_model(run, scope, callee, args, kwargs)
    if assumed is None:
        run.event("unknown_call", node, scope, callee, None, (*args, *kwargs.values()), name)
    else:
        run.event("forward", node, scope, callee, None, (*args, *kwargs.values()), "assumed")
        likely = [a.but(likely=True) if isinstance(a, Array) else a for a in args]
        with run.supposed():
            result = call_instance(run, scope, assumed, likely, kwargs, node)
        return result.but(likely=True) if isinstance(result, Array) else result
    return Unknown(f"{name}(…)" if name else "", step(scope.file, node, "an unknown call"))


def call_function(
    run: Run, scope: Scope, func: Func, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """Interpret a workspace function in place, within the caps."""
    from trainlint.analysis.expressions import evaluate
    from trainlint.analysis.statements import execute_block

    definition = func.node
    run.program.called.add(id(definition))
    run.program.running.add(id(definition))
    exceeded = run.full(definition, (*args, *kwargs.values(), *([func.bound] if func.bound is not None else ())))
    if exceeded == "recursion" and run.program.tape is not None:
        # of no consequence for memory unless it gets a tensor of the step, which the event says
        run.event("unknown_call", node, scope, func, None, (*args, *kwargs.values()), func.name)
        return Unknown(f"{func.name}(…)")
    if exceeded or not run.spend():
        run.program.caps[exceeded or "statements"] += 1
        run.trace.incomplete = True
        return Unknown(f"{func.name}(…)")
    inner = Scope("function", func.file, func.scope, func.name)
    if func.bound is not None:
        args = [func.bound, *args]
    bind_parameters(run, inner, func, args, kwargs)
    frame = Frame(func.name, func.owner, run.tick(), inner, (len(run.loops), len(run.conds)))
    saved_billed = run.billed
    entered = func.file.library and not scope.file.library
    if entered:
        run.billed = (scope.file, node)
    saved_grad, saved_autocast, saved_via, saved_conds = run.grad, run.autocast, run.via, run.conds
    floors, leaves, rounds = (run.floor, run.attribute_floor), run.leaves, run.rounds
    run.leaves, run.rounds = None, 1
    run.frames.append(frame)
    run.active.append(definition)
    run.via = (*run.via, node.stmt)
    run.depth += 1
    try:
        if isinstance(definition, ir.Lambda):
            return evaluate(run, inner, definition.body)
        decorator_context(run, func)
        execute_block(run, inner, definition.body)
    finally:
        run.depth -= 1
        run.billed = saved_billed
        run.via = saved_via
        run.conds = saved_conds
        run.floor, run.attribute_floor = floors
        run.leaves, run.rounds = leaves, rounds
        run.active.pop()
        run.frames.pop()
        run.grad, run.autocast = saved_grad, saved_autocast
    result = returned(frame)
    if entered and isinstance(result, Instance) and result.factory is None:
        result.factory = Obj(func.name, "module", node, args, kwargs)
    left(run, result)
    return result


def is_part(value: Value) -> bool:
    """Is it a part of a model, or a tuple with one: `yield name, parameter`?"""
    if isinstance(value, Seq) and value.items is not None:
        return any(map(is_part, value.items))
    return isinstance(value, (Obj, Instance))


def returned(frame: Frame) -> Value:
    """What a finished call gives: the join of its returns, or a generator of its yields."""
    if frame.yields:
        given = [value for value in frame.yields if value is not None]
        items = given if None not in frame.yields and all(map(is_part, given)) else None
        return Seq("generator", items, one_of(tuple(given)) if given else None)
    if not frame.returns:
        return Const(None)
    result = frame.returns[0]
    for value in frame.returns[1:]:
        result = join(result, value)
    return result


def call_external(
    run: Run, scope: Scope, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """A call of something outside the workspace: the op table, a known class, or Unknown."""
    handler = registry.FUNCTIONS.get(name)
    result: Value | None = None
    if handler is not None:
        given, named = (args, kwargs) if not name.startswith("torch.") else as_tensors(name, args, kwargs)
        tape = run.program.tape
        before = len(tape.entries) if tape is not None else 0
        result = handler(registry.OpCall(run, scope, node, name, given, named))
        if tape is not None and result is not None:
            operands = [*given, *named.values()]
            result = record(run, scope, name, node, operands, result, given, named, before)
    if result is None:
        made = registry.kind_of(name)
        if made is not None:
            file, place = run.billing(scope, node)
            result = Obj(name, made, place, args, kwargs, step(file, place, name), file.path)
            result.born = run.tick()
            if made == "module":
                fill_container(result, args, kwargs)
                if run.program.default_dtype != "float32" and "dtype" not in kwargs:
                    dtype = run.program.default_dtype
                    result.attrs[CAST] = Const(dtype) if dtype is not None else Unknown("dtype")
            constructed = registry.METHODS.get((made, "__init__"))
            if constructed is not None:
                constructed(registry.OpCall(run, scope, node, name, args, kwargs, result))
        else:
            result = default_external(run, scope, name, args, kwargs, node)
            if name.partition(".")[0] not in run.program.harmless and (args or kwargs):
                run.event("unknown_call", node, scope, result, None, (*args, *kwargs.values()), name)
    if name.startswith("torch."):
        placed(run, scope, name, kwargs, result, node)
        report_mixed(run, scope, node, name.rpartition(".")[2], args)
        if name.startswith("torch.nn.functional."):
            promise(args[:2])
    if isinstance(node, ir.Call) and not run.muted:
        owner = run.frames[-1].owner if run.frames else None
        run.fact(Call(name, node, scope.file, args, kwargs, result, run.loops, run.grad, run.function, owner))
    return result


# what is told of parameters, not computed from their numbers
_KEEPS = ("torch.nn.init.", "torch.nn.utils.", "torch.nn.Parameter", "torch.optim.", "torch.amp.", "torch.distributed.")


def as_tensors(name: str, args: list[Value], kwargs: dict[str, Value]) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a function of torch, with tensors for parameters."""
    if name.startswith(_KEEPS) or not any(map(_is_parameter, (*args, *kwargs.values()))):
        return args, kwargs
    return [_tensors_of(v) for v in args], {k: _tensors_of(v) for k, v in kwargs.items()}


def _is_parameter(value: Value) -> bool:
    """Is it a parameter, or a list with one in it (`torch.cat((self.a, self.b))`)?"""
    if isinstance(value, Seq):
        return any(isinstance(item, Obj) and item.kind == "parameter" for item in value.items or ())
    return isinstance(value, Obj) and value.kind == "parameter"


def _tensors_of(value: Value) -> Value:
    if isinstance(value, Seq) and _is_parameter(value):
        return Seq(value.kind, [tensor_of(item) for item in value.items or ()], None, value.origin)
    return tensor_of(value)


def default_external(
    run: Run, scope: Scope, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """A library function without an entry in the table: keeps nothing but the library's kind of result."""
    handler = registry.FUNCTIONS.get(name.partition(".")[0] + ".*")
    if handler is not None:
        result = handler(registry.OpCall(run, scope, node, name, args, kwargs))
        if result is not None:
            return result
    return Unknown(f"{name.rpartition('.')[2]}(…)", step(scope.file, node, name))


def call_instance(
    run: Run, scope: Scope, instance: Instance, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """Calling an object of a workspace class: `__call__`, or `forward` for a module."""
    member = instance.cls.find("__call__")
    if isinstance(member, Func):
        return call_function(run, scope, bind(member, instance), args, kwargs, node)
    if is_module(instance):
        run.event("forward", node, scope, instance, None, (*args, *kwargs.values()))
        forward = instance.cls.find("forward")
        if isinstance(forward, Func):
            return call_function(run, scope, bind(forward, instance), args, kwargs, node)
        return inherited_forward(run, scope, instance, args, kwargs, node)
    run.event("unknown_call", node, scope, instance, None, (*args, *kwargs.values()), instance.cls.name)
    return Unknown(f"{instance.cls.name}()(…)")


def inherited_forward(
    run: Run, scope: Scope, instance: Instance, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """The `forward` that a model has from a class of the library."""
    own = instance.attrs.get(OWN)
    handler = registry.CALLS.get("torch.nn.Sequential") if container(instance) == "torch.nn.Sequential" else None
    result = None
    if handler is not None:
        result = handler(registry.OpCall(run, scope, node, "torch.nn.Sequential", args, kwargs, instance))
    elif isinstance(own, Obj):
        result = call_object(run, scope, own, args, kwargs, node)
    return result if result is not None else Array(grad=run.grad)


def has_forward(instance: Instance) -> bool:
    """Does a model have the `forward` of a container or layer of the library?"""
    return OWN in instance.attrs or container(instance) == "torch.nn.Sequential"


def inherited_init(
    run: Run, scope: Scope, instance: Instance, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> None:
    """The constructor that a model has from a class of the library: children of a container, the layer it extends."""
    fill_container(instance, args, kwargs)
    name = library_layer(instance.cls)
    if name is None:
        return
    own = call_external(run, scope, name, args, kwargs, node)
    if isinstance(own, Obj):
        run.touch(instance, OWN)
        instance.attrs[OWN] = own
        for child, module in partial_children(own).items():
            run.touch(instance, child)
            instance.attrs[child] = module


def call_object(run: Run, scope: Scope, obj: Obj, args: list[Value], kwargs: dict[str, Value], node: ir.Expr) -> Value:
    """Calling an object of an external class: a layer, a loss, a transform."""
    if obj.kind == "module":
        run.event("forward", node, scope, obj, None, (*args, *kwargs.values()))
    if takes_tensors(obj):
        promise(args)
        report_fed(run, scope, node, obj, args)
    for name in (obj.name, obj.kind):
        handler = registry.CALLS.get(name)
        if handler is not None:
            tape = run.program.tape
            before = len(tape.entries) if tape is not None else 0
            result = handler(registry.OpCall(run, scope, node, name, args, kwargs, obj))
            if result is not None:
                if tape is None or obj.kind not in ("module", "loss"):
                    return result
                operands = [*args, *kwargs.values()]
                return record(run, scope, obj.name, node, operands, result, args, kwargs, before, obj)
    if obj.kind not in HARMLESS_KINDS:
        run.event("unknown_call", node, scope, obj, None, (*args, *kwargs.values()), obj.name)
    return Unknown(f"{obj.name.rpartition('.')[2]}()(…)")


HARMLESS_KINDS = frozenset({"module", "loss", "transform", "loader", "dataset", "metric"})


def call_method(
    run: Run,
    scope: Scope,
    receiver: Value,
    name: str,
    args: list[Value],
    kwargs: dict[str, Value],
    node: ir.Expr,
) -> Value:
    """`receiver.name(*args, **kwargs)`."""
    if name in MOVES:
        report_move(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, Ext):
        if name == "__init__" and args and isinstance(args[0], Instance):
            inherited_init(run, scope, args[0], args[1:], kwargs, node)
            return Const(None)
        target = run.program.external(f"{receiver.name}.{name}")
        return call(run, scope, target, args, kwargs, node)
    if isinstance(receiver, Unknown):
        attribute = receiver.attrs.get(name) if receiver.attrs else None
        if attribute is not None and not isinstance(attribute, Unknown):
            return call(run, scope, attribute, args, kwargs, node)
        return unknown_method(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, Array):
        return array_call(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, OneOf):
        options = [v for v in receiver.values if not is_none(v)]
        return one_of(tuple(each(run, options, lambda v: call_method(run, scope, v, name, args, kwargs, node))))
    if isinstance(receiver, Instance):
        return instance_call(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, Obj):
        return object_call(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, (Class, WorkspaceModule)):
        member = get_attribute(run, scope, receiver, name, node)
        if isinstance(receiver, Class) and name == "__init__" and not isinstance(member, Func):
            return Const(None)
        return call(run, scope, member, args, kwargs, node)
    if isinstance(receiver, Named) or (isinstance(receiver, Const) and isinstance(receiver.value, Member)):
        found = get_attribute(run, scope, receiver, name, node)
        if not isinstance(found, Method):
            return call(run, scope, found, args, kwargs, node)
    if isinstance(receiver, (Seq, Mapping, Const)):
        return call_builtin_method(run, scope, receiver, name, args, kwargs, node)
    if isinstance(receiver, Func) and name == "apply":
        return Unknown()
    return Unknown()


# methods that take another tensor for its shape, dtype or device only, or that copy from it
FOLLOWS = frozenset({"to", "type_as", "copy_", "expand_as", "view_as", "reshape_as", "size", "view", "index_put_"})


def array_call(
    run: Run, scope: Scope, receiver: Array, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    if name.endswith("_"):
        # it writes into the tensor
        receiver.bounds = None
    handler = registry.ARRAY_METHODS.get(f"pil.{name}" if receiver.lib == "pil" else name)
    args = [tensor_of(v) if isinstance(v, Obj) else v for v in args]
    if handler is not None:
        tape = run.program.tape
        before = len(tape.entries) if tape is not None else 0
        result = handler(registry.OpCall(run, scope, node, name, args, kwargs, receiver))
        if name == "type_as" and isinstance(result, Array):
            result = result.but(device="given")
        if result is not None:
            if tape is not None and receiver.lib == "torch":
                operands = [receiver, *args, *kwargs.values()]
                result = record(run, scope, f"Tensor.{name}", node, operands, result, args, kwargs, before)
            if args and name not in FOLLOWS:
                report_mixed(run, scope, node, name, [receiver, *args])
            return result
    if receiver.lib == "pil":
        return Unknown(name)
    return Array(lib=receiver.lib, grad=receiver.grad, likely=receiver.likely)


def instance_call(
    run: Run, scope: Scope, receiver: Instance, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    member = get_attribute(run, scope, receiver, name, node)
    if isinstance(member, Func):
        if name == "forward" and is_module(receiver):
            run.event("forward", node, scope, receiver, None, (*args, *kwargs.values()), "forward")
        return call_function(run, scope, member, args, kwargs, node)
    if isinstance(member, Method) or (isinstance(member, Unknown) and receiver.attrs.get(name) is member):
        kinds = ["module"] if is_module(receiver) else []
        kinds += [base.name for base in receiver.cls.external_bases() if isinstance(base, Ext)]
        for owner in kinds:
            handler = registry.METHODS.get((owner, name))
            if handler is not None:
                return handler(registry.OpCall(run, scope, node, name, args, kwargs, receiver)) or Unknown()
        if not isinstance(member, Method) and not any(True for _ in receiver.cls.external_bases()):
            return call(run, scope, member, args, kwargs, node)
        run.event("unknown_call", node, scope, receiver, None, (receiver, *args, *kwargs.values()), name)
        return Unknown(f"self.{name}(…)")
    return call(run, scope, member, args, kwargs, node)


def object_call(
    run: Run, scope: Scope, receiver: Obj, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    # a loss is a module as well: `criterion.to(device)`
    for owner in (receiver.name, receiver.kind, "module" if receiver.kind == "loss" else "object"):
        handler = registry.METHODS.get((owner, name))
        if handler is not None:
            result = handler(registry.OpCall(run, scope, node, name, args, kwargs, receiver))
            if result is not None:
                return result
    if receiver.kind == "parameter":
        data = tensor_of(receiver)
        # a method that ends with `_` gives the parameter back
        if isinstance(data, Array) and not name.endswith("_"):
            return array_call(run, scope, data, name, args, kwargs, node)
        return receiver if name.endswith("_") else Unknown(f"Parameter.{name}(…)")
    attribute = receiver.attrs.get(name)
    if attribute is not None and not isinstance(attribute, Unknown):
        return call(run, scope, attribute, args, kwargs, node)
    if receiver.kind not in HARMLESS_KINDS:
        run.event("unknown_call", node, scope, receiver, None, (receiver, *args, *kwargs.values()), name)
    return Unknown(f"{receiver.name.rpartition('.')[2]}.{name}(…)")


def call_super(run: Run, scope: Scope, node: ir.Call, name: str) -> Value:
    """`super().name(…)`: the next workspace class that has it, or the external base."""
    from trainlint.analysis.expressions import arguments

    args, kwargs = arguments(run, scope, node)
    receiver = this_of(run, scope)
    owner = run.frames[-1].owner if run.frames else None
    if isinstance(owner, Class):
        for ancestor in after(owner, receiver):
            member = ancestor.members.get(name)
            if isinstance(member, Func):
                return call_function(run, scope, bind(member, receiver), args, kwargs, node)
        if name == "__init__":
            if isinstance(receiver, Instance) and not is_module(receiver) and has_fields(receiver.cls):
                fill_fields(run, receiver, args, kwargs, labelled=False)
            elif isinstance(receiver, Instance):
                inherited_init(run, scope, receiver, args, kwargs, node)
            return Const(None)
        if name == "forward" and isinstance(receiver, Instance) and has_forward(receiver):
            return inherited_forward(run, scope, receiver, args, kwargs, node)
        if isinstance(receiver, Instance) and is_module(receiver):
            handler = registry.METHODS.get(("module", name))
            if handler is not None:
                return handler(registry.OpCall(run, scope, node, name, args, kwargs, receiver)) or Unknown()
        if not owner.closed or any(True for _ in owner.external_bases()):
            run.event("unknown_call", node, scope, receiver, None, (receiver, *args, *kwargs.values()), name)
    return Unknown(f"super().{name}(…)")


def this_of(run: Run, scope: Scope) -> Value:
    """The object that the method in progress runs on: its first parameter, whatever its name is."""
    active = run.active[-1] if run.active else None
    first = active.params[0].name if isinstance(active, ir.FunctionDef) and active.params else "self"
    return scope.lookup(first) or scope.lookup("self") or Unknown("self")


def after(owner: Class, receiver: Value) -> list[Class]:
    """The classes that `super()` in a method of `owner` looks into, in the order of the receiver's class."""
    cls = receiver.cls if isinstance(receiver, Instance) else receiver if isinstance(receiver, Class) else owner
    order = cls.order()
    return order[order.index(owner) + 1 :] if owner in order else owner.order()[1:]
