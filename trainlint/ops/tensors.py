"""Tensors: creation, methods, autograd; tags kept by what keeps them, lost by everything else."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.dims import symbol
from trainlint.analysis.iteration import told_apart
from trainlint.analysis.registry import OpCall, alias, array_method, op
from trainlint.analysis.values import Const, Number, Seq, Unknown, Value
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.layers import likely

alias("torch.nn.functional.", "torch.nn.functional.functional.")
alias("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader")
alias("torch.utils.data.Dataset", "torch.utils.data.dataset.Dataset")
alias("torch.utils.data.distributed.DistributedSampler", "torch.utils.data.DistributedSampler")
alias("torch.no_grad", "torch.autograd.grad_mode.no_grad")
alias("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
alias("torch.nn.Sequential", "torch.nn.modules.Sequential", "torch.nn.modules.container.Sequential")
alias("torch.nn.", "torch.nn.modules.conv.", "torch.nn.modules.linear.", "torch.nn.modules.loss.")


@array_method("numpy")
def numpy_(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(lib="numpy", grad=False) if isinstance(array, Array) else None


@array_method("item", "tolist")
def item(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("item", call.node, call.scope, call.receiver)
    array = call.receiver
    known = array.numbers if isinstance(array, Array) else None
    if known is not None:
        return Const(known[0]) if call.name == "item" else Seq("list", [Const(number) for number in known])
    if call.name == "tolist" and call.run.program.tape is not None and isinstance(array, Array):
        return told_apart(call.run, call.scope, array, call.node) or Unknown("a number")
    if call.run.program.tape is not None and isinstance(array, Array) and kind_of_dtype(array.dtype) == 1:
        return symbol("n", low=None)
    return number_in(array) if call.name == "item" else Unknown("a number")


def number_in(array: Value | None) -> Number:
    """The Python number of a tensor with one element."""
    kind = kind_of_dtype(array.dtype) if isinstance(array, Array) else None
    return Number("a number", dtype={1: "int64", 2: "float32"}.get(kind) if kind is not None else None)


@array_method("backward")
def backward(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("backward", call.node, call.scope, call.receiver, None, (*call.args, *call.kwargs.values()))
    return Const(None)


@op("torch.*")
def other(call: OpCall) -> Value | None:
    """Any other function of torch: a tensor that hangs on the graph of its arguments where that is certain."""
    last = call.name.rpartition(".")[2]
    if last[:1].isupper() or call.name.count(".") > 3 or not call.name.startswith(("torch.nn.functional.", "torch.")):
        return None
    if call.name.startswith(("torch.nn.functional.", "torch.special.")) or call.name.count(".") == 1:
        grads = [a.grad for a in call.args if isinstance(a, Array)]
        attached = (
            True if any(g is True for g in grads) else (False if grads and all(g is False for g in grads) else None)
        )
        if last in ("device", "manual_seed", "load", "no_grad", "dtype", "cuda", "get_rng_state", "set_num_threads"):
            return None
        return Array(grad=attached, likely=likely(call))
    return None
