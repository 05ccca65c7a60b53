"""What happens around a step: autograd contexts, gradient scaling and clipping, wrappers, accelerators, saving."""

from __future__ import annotations

from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.attributes import set_attribute
from trainlint.analysis.listing import APART, members
from trainlint.analysis.parameters import buffers_of
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Seq, Unknown, Value
from trainlint.analysis.watching import Freeze
from trainlint.ops.accelerators import accumulates, mixed, prepared

kind("no_grad", "torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.inference_mode")
kind("enable_grad", "torch.enable_grad", "torch.autograd.enable_grad")
kind("autocast", "torch.autocast", "torch.amp.autocast", "torch.cuda.amp.autocast", "torch.cpu.amp.autocast")
kind("scaler", "torch.amp.GradScaler", "torch.cuda.amp.GradScaler", "torch.cuda.amp.grad_scaler.GradScaler")
kind("accelerator", "accelerate.Accelerator")
kind("writer", "torch.utils.tensorboard.*", "tensorboardX.*")
kind("metric", "torchmetrics.*")
kind("sharding", "torch.distributed.fsdp.wrap.ModuleWrapPolicy", "torch.distributed.fsdp.MixedPrecisionPolicy")
kind("sharding", "torch.distributed.fsdp.MixedPrecision", "torch.distributed.fsdp.CPUOffload")
kind("sharding", "torch.distributed.fsdp.CPUOffloadPolicy", "torch.distributed.fsdp.OffloadPolicy")
kind("sharding", "torch.distributed.init_device_mesh", "torch.distributed.device_mesh.init_device_mesh")
kind("averaged", "timm.utils.ModelEma", "timm.utils.ModelEmaV2")


@op("torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.inference_mode")
def no_grad(call: OpCall) -> Value | None:
    """The context; `inference_mode(False)` is not one."""
    mode = call.arg(0, "mode")
    if isinstance(mode, Const) and mode.value is False:
        return Obj(call.name, "enable_grad", call.node)
    return Obj(call.name, "no_grad", call.node)


@op("torch.set_grad_enabled", "torch.autograd.set_grad_enabled", "torch._C._set_grad_enabled")
def set_grad_enabled(call: OpCall) -> Value | None:
    """Takes effect at once, also as a statement; as a context it is undone at the end."""
    mode = call.arg(0, "mode")
    call.run.grad = isinstance(mode, Const) and mode.value is True and not mode.default
    return Obj(call.name, "grad_mode", call.node, list(call.args), dict(call.kwargs))


@op("torch.is_grad_enabled")
def is_grad_enabled(call: OpCall) -> Value | None:
    """Where memory is counted, the mode in force; else a caller may have switched it off."""
    return Const(call.run.grad) if call.run.program.tape is not None else None


@method("scaler", "scale")
def scale(call: OpCall) -> Value | None:
    """The scaled loss carries the same graph: it counts as the loss itself."""
    return call.args[0] if call.args else None


@method("scaler", "unscale_")
def unscale(call: OpCall) -> Value | None:
    if call.args and call.receiver is not None:
        call.run.event("unscale", call.node, call.scope, call.args[0], call.receiver)
    return Const(None)


@method("scaler", "step")
def scaler_step(call: OpCall) -> Value | None:
    if call.args and call.receiver is not None:
        call.run.event("scaler_step", call.node, call.scope, call.receiver, call.args[0])
        call.run.event("step", call.node, call.scope, call.args[0], call.receiver)
    return Unknown()


@method("scaler", "update")
def scaler_update(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("scaler_update", call.node, call.scope, call.receiver)
    return Const(None)


@method("scaler", "state_dict", "load_state_dict", "get_scale", "is_enabled")
def scaler_bookkeeping(call: OpCall) -> Value | None:
    return Unknown(call.name)


@op(
    "torch.nn.utils.clip_grad_norm_",
    "torch.nn.utils.clip_grad_norm",
    "torch.nn.utils.clip_grad_value_",
    "timm.utils.dispatch_clip_grad",
)
def clip(call: OpCall) -> Value | None:
    call.run.event("clip", call.node, call.scope, call.args[0] if call.args else Unknown())
    return Array(grad=False)


@op("torch.backends.mps.is_available")
def no_apple(call: OpCall) -> Value | None:
    """The GPU whose memory is counted is no Apple's."""
    return Const(False, default="a GPU") if call.run.program.tape is not None else None


@op("torch.save", "safetensors.torch.save_file", "accelerate.Accelerator.save")
def save(call: OpCall) -> Value | None:
    call.run.event("save", call.node, call.scope, call.args[0] if call.args else Unknown())
    return Const(None)


@op(
    "torch.nn.DataParallel",
    "torch.nn.parallel.DataParallel",
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
    "torch.distributed.fsdp.FullyShardedDataParallel",
    "apex.parallel.DistributedDataParallel",
)
def wrap(call: OpCall) -> Value | None:
    """A wrapper around the model; `.module` gives it back."""
    obj = Obj(call.name, "module", call.node, call.args, call.kwargs, call.step(call.name))
    inner = call.arg(0, "module")
    if inner is not None:
        obj.attrs["module"] = inner
    return obj


@op(
    "torch.compile",
    "torch.distributed.fsdp.fully_shard",
    "torch.distributed._composable.fsdp.fully_shard",
    "torch.jit.script",
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
    "apex.parallel.convert_syncbn_model",
)
def same_model(call: OpCall) -> Value | None:
    if call.name == "torch.compile":
        compiled(call)
    return call.args[0] if call.args else None


def compiled(call: OpCall) -> None:
    """Note that what is called here runs other operations than those that are recorded."""
    tape, disable = call.run.program.tape, call.kwargs.get("disable")
    if tape is not None and not (isinstance(disable, Const) and disable.value):
        tape.compiled.append(call.place)


@method("accelerator", "prepare", "prepare_model", "prepare_data_loader", "prepare_optimizer", "prepare_scheduler")
@method("accelerator", "setup", "setup_module", "setup_optimizers", "setup_dataloaders")
def prepare(call: OpCall) -> Value | None:
    """The same objects, wrapped."""
    if len(call.args) == 1:
        return prepared(call, call.args[0])
    return Seq("tuple", [prepared(call, value) for value in call.args])


@method("accelerator", "backward")
def accelerator_backward(call: OpCall) -> Value | None:
    mixed(call)
    if call.args:
        call.run.event("backward", call.node, call.scope, call.args[0], call.receiver)
    return Const(None)


@method("accelerator", "accumulate", "no_sync", "autocast")
def accelerator_context(call: OpCall) -> Value | None:
    name = "accumulate" if call.name == "accumulate" else "autocast"
    if call.name == "accumulate" and call.run.program.tape is not None:
        accumulates(call.receiver)
    return Obj(f"accelerate.{call.name}", name, call.node, list(call.args))


@method("accelerator", "clip_grad_norm_", "clip_grad_value_")
def accelerator_clip(call: OpCall) -> Value | None:
    call.run.event("clip", call.node, call.scope, call.args[0] if call.args else Unknown())
    return Array(grad=False)


@method("accelerator", "unwrap_model")
def unwrap(call: OpCall) -> Value | None:
    return call.args[0] if call.args else None


@method("accelerator", "print", "log", "wait_for_everyone", "save", "save_state", "gather", "gather_for_metrics")
def accelerator_other(call: OpCall) -> Value | None:
    return Unknown(call.name)


@method("accelerator", "reduce", "pad_across_processes", "init_trackers", "end_training", "free_memory", "load_state")
def accelerator_more(call: OpCall) -> Value | None:
    return Unknown(call.name)


@method("module", "train")
def train(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("train_mode", call.node, call.scope, call.receiver, call.arg(0, "mode"))
    return call.receiver


@method("module", "eval")
def evaluate(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("eval_mode", call.node, call.scope, call.receiver)
    return call.receiver


@method("module", "zero_grad")
def module_zero_grad(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("zero_grad", call.node, call.scope, call.receiver, call.arg(0, "set_to_none"))
    return Const(None)


@method("module", "parameters", "named_parameters")
def parameters(call: OpCall) -> Value | None:
    receiver = call.receiver
    listing = Obj("parameters", call.name, call.node, [receiver] if receiver is not None else [])
    if call.run.program.tape is not None:
        listing.attrs[APART] = Const(True)
    if call.run.program.watch is not None and receiver is not None:
        call.run.program.watch.freezes.append(Freeze(receiver, call.run.tick(), call.node, listing))
    return listing


@method("module", "cuda", "cpu", "apply", "requires_grad_")
def moved(call: OpCall) -> Value | None:
    """Moves and casts give the module itself back."""
    watch = call.run.program.watch
    if call.name == "requires_grad_" and watch is not None and call.receiver is not None:
        wanted = call.arg(0, "requires_grad") or Const(True)
        value = Unknown() if call.run.conds else wanted
        if call.run.program.tape is not None:
            for _, part in members(call.receiver) or ():
                set_attribute(call.run, call.scope, part, "requires_grad", value)
        watch.freezes.append(Freeze(call.receiver, call.run.tick(), call.node, value=value))
    return call.receiver


@method("parameter", ".requires_grad")
def wants_gradient(call: OpCall) -> Value | None:
    """As it was made; what is assigned is an attribute then, and found before this."""
    made = call.receiver
    wanted = made.arg(1, "requires_grad") if isinstance(made, Obj) else None
    return wanted if isinstance(wanted, Const) else Const(True) if wanted is None else Unknown(call.name)


@method("parameter", "requires_grad_")
def set_wants_gradient(call: OpCall) -> Value | None:
    wanted = call.arg(0, "requires_grad") or Const(True)
    if call.receiver is not None:
        set_attribute(call.run, call.scope, call.receiver, "requires_grad", wanted)
        if call.run.program.watch is not None:
            call.run.program.watch.frozen.add(id(call.node))
    return call.receiver


@method("parameter", ".grad")
def gradient(call: OpCall) -> Value | None:
    """The gradient is as large as the parameter, and on the same device."""
    data = tensor_of(call.receiver) if isinstance(call.receiver, Obj) else None
    if call.run.program.tape is None or not isinstance(data, Array) or not isinstance(call.receiver, Obj):
        return None
    found = call.receiver.attrs.get("[grad]")
    if found is None:
        found = call.receiver.attrs["[grad]"] = data.but(grad=False, device="given")
    return found


@method("module", "xpu", "share_memory", "compile", "register_forward_hook", "load_state_dict", "init_weights")
def moved_too(call: OpCall) -> Value | None:
    if call.name == "compile":
        compiled(call)
    return call.receiver if call.name in ("xpu", "share_memory") else Unknown(call.name)


@method("module", "state_dict")
def state_dict(call: OpCall) -> Value | None:
    """Where parameters are told apart: their tensors by name; buffers may be there too."""
    inside = members(call.receiver) if call.run.program.tape is not None and call.receiver is not None else None
    if inside is None or call.receiver is None:
        return Unknown(call.name)
    found: dict[str, Value] = {}
    for name, part in inside:
        data = tensor_of(part)
        found[name] = data.but(grad=False, source=part) if isinstance(data, Array) else Unknown(name)
    for held in buffers_of(call.receiver).tensors:
        found[held.name] = Array(lib="torch", shape=held.shape, dtype=held.dtype, grad=False, device="given")
    made = Mapping(found)
    made.born = call.run.tick()
    return made


@method("module", "buffers", "extra_repr")
def inspection(call: OpCall) -> Value | None:
    return Unknown(call.name)


@method("module", "forward")
def forward(call: OpCall) -> Value | None:
    """`model.forward(x)` called by name: the same computation, without the hooks."""
    from trainlint.analysis.calls import call as invoke

    if call.receiver is None or isinstance(call.receiver, Instance):
        return None
    call.run.event("forward", call.node, call.scope, call.receiver, None, tuple(call.args), "forward")
    with call.run.silent():
        return invoke(call.run, call.scope, call.receiver, call.args, call.kwargs, call.node)


@op("torch.cuda.is_available", "torch.accelerator.is_available", "torch.cuda.is_bf16_supported")
def card_there(call: OpCall) -> Value | None:
    """The memory of a step is that of a card."""
    return Const(True, default="a GPU") if call.run.program.tape is not None else None


@op("torch.cuda.device_count", "torch.accelerator.device_count")
def cards(call: OpCall) -> Value | None:
    """One, unless the program says more."""
    return Const(1, default="a GPU") if call.run.program.tape is not None else None
