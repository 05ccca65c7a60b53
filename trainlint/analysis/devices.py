"""Where tensors live: moves of models and tensors, tensors made on the default device, operands of two devices.

A tensor that is created without naming a device lives on the CPU, unless the program changes the default device.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Dropped, Mixed
from trainlint.analysis.parameters import trains_itself
from trainlint.analysis.run import Run, step
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Class, Const, Ext, Func, Instance, Obj, Seq, Unknown, Value
from trainlint.syntax import ir

MOVES = frozenset({"to", "cuda", "cpu"})
CREATORS = frozenset(
    f"torch.{name}"
    for name in (
        *(
            "arange",
            "blackman_window",
            "empty",
            "eye",
            "from_numpy",
            "full",
            "hamming_window",
            "hann_window",
            "linspace",
        ),
        *("logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "tensor", "zeros", "FloatTensor"),
        *("LongTensor", "Tensor", "as_tensor", "tril_indices", "triu_indices"),
    )
)
# methods of an unknown that only tensors have
TENSOR_METHODS = frozenset(
    ["size", "dim", "unsqueeze", "permute", "numel", "contiguous", "masked_fill", "expand", "expand_as", "new_zeros"]
)
# layers that hold no parameters, or pass on what they are given
_PLAIN = ("Sequential", "ModuleList", "ModuleDict", "DataParallel", "DistributedDataParallel", "Identity")


def report_move(
    run: Run, scope: Scope, receiver: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> None:
    """`x.to(device)`, `x.cuda()`, `x.cpu()`: an event with the device; a fact where the result is dropped."""
    if not isinstance(receiver, (Array, Unknown, Obj, Instance)):
        return
    device = target_device(name, args, kwargs)
    if device is None:
        return
    run.event("move", node, scope, receiver, device, name=name)
    stmt = node.stmt
    if isinstance(stmt, ir.ExprStmt) and stmt.value is node and isinstance(receiver, (Array, Unknown)):
        run.fact(Dropped(name, node, scope.file, receiver))


def target_device(name: str, args: list[Value], kwargs: dict[str, Value]) -> Value | None:
    """The device that a move goes to, None where only the dtype changes."""
    if name != "to":
        return Const(name)
    if "device" in kwargs:
        return kwargs["device"]
    first = args[0] if args else None
    if first is None or (isinstance(first, Ext) and first.name.startswith("torch.")):
        return None
    if isinstance(first, Unknown) and "dtype" in first.name:
        return None
    return first


def on_cpu(device: Value | None) -> bool:
    """Is a device certainly the CPU?"""
    value = device
    if isinstance(value, Obj) and value.name == "torch.device":
        value = value.arg(0, "type")
    return isinstance(value, Const) and isinstance(value.value, str) and value.value.startswith("cpu")


def placed(run: Run, scope: Scope, name: str, kwargs: dict[str, Value], result: Value | None, node: ir.Expr) -> None:
    """Mark what a function of torch creates without naming a device."""
    if name not in CREATORS or not isinstance(result, Array) or result.device not in (None, "cpu"):
        return
    if "device" in kwargs or "**" in kwargs:
        return
    result.device = "cpu"
    if result.origin is None:
        result.origin = step(scope.file, node, f"made by `{name}`")


def promise(values: list[Value]) -> None:
    """Unknowns that a layer or function of torch takes are tensors."""
    for value in values:
        if isinstance(value, Unknown) and value.promised is None:
            value.promised = "tensor"


def takes_tensors(obj: Obj) -> bool:
    """Is it a layer or loss of torch that takes nothing but tensors?"""
    return obj.name.startswith("torch.nn.") and not obj.name.rpartition(".")[2].startswith(_PLAIN)


def report_mixed(run: Run, scope: Scope, node: ir.Expr | ir.Stmt, op: str, values: list[Value]) -> None:
    """Report operands of one operation of which one is a new tensor on the default device and one is not.

    A list of tensors comes first (`torch.cat`); what stands in a later list are sizes.
    """
    flat = [*(values[0].items or []), *values[1:]] if values and isinstance(values[0], Seq) else values
    created = next((v for v in flat if isinstance(v, Array) and v.device == "cpu" and not is_scalar(v)), None)
    if created is None or run.muted:
        return
    other = next((v for v in flat if v is not created and elsewhere(v)), None)
    if other is not None:
        run.fact(Mixed(op, node, scope.file, created, other, forward_of(run), made_inside(run, created)))


def report_fed(run: Run, scope: Scope, node: ir.Expr, layer: Obj, args: list[Value]) -> None:
    """Report a new tensor on the default device that a layer with weights takes inside `forward`."""
    value = args[0] if args else None
    if run.muted or not isinstance(value, Array) or value.device != "cpu" or not trains_itself(layer):
        return
    name = layer.name.rpartition(".")[2]
    run.fact(Mixed(name, node, scope.file, value, layer, forward_of(run), made_inside(run, value)))


def forward_of(run: Run) -> Class | None:
    """The module class in whose `forward` this place runs, None outside of one."""
    for frame in reversed(run.frames):
        if frame.function == "forward" and isinstance(frame.owner, Class):
            return frame.owner
    return None


def made_inside(run: Run, created: Array) -> bool:
    """Was the tensor made by a method that runs for the `forward` in progress, and not before it or beside it?"""
    from trainlint.analysis.incremental import flat

    steps = list(created.origin) if created.origin is not None else []
    node = steps[-1].place.node if steps else None
    stmt = node.stmt if isinstance(node, ir.Expr) else node
    methods = [f.node for f in frames_of_forward(run) if isinstance(f.node, ir.FunctionDef)]
    return any(stmt is inner for method in methods for inner in flat(method.body))


def frames_of_forward(run: Run) -> list[Func]:
    """The methods in progress from the innermost `forward` on."""
    names = [frame.function for frame in run.frames]
    if "forward" not in names:
        return []
    start = len(names) - 1 - names[::-1].index("forward")
    found = []
    for frame in run.frames[start:]:
        member = frame.owner.find(frame.function) if isinstance(frame.owner, Class) else None
        if isinstance(member, Func) and isinstance(member.node, ir.FunctionDef):
            found.append(member)
    return found


def is_scalar(value: Array) -> bool:
    """A tensor without axes goes with tensors of any device."""
    return value.shape is not None and not value.shape


def elsewhere(value: Value) -> bool:
    """May it live where the model lives: moved, made with the weights of a layer, or a parameter of the function?"""
    if isinstance(value, Array):
        if value.device == "cpu" or value.lib != "torch":
            return False
        return value.device in ("cuda", "given") or value.grad is True
    return isinstance(value, Unknown) and value.param
