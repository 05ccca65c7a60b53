"""PyTorch Lightning: `Trainer.fit` runs the step of a LightningModule.

The order is that of `lightning/pytorch/loops/optimization/automatic.py` (2.6): the batch is moved to the device, then
the closure given to `optimizer.step` runs training_step, zero_grad and backward; the gradients of the step before live
through the forward. `tests/memory/frameworks.json` holds what the real library does.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import bind
from trainlint.analysis.calls import call_external, call_function
from trainlint.analysis.registry import OpCall, alias, method, op
from trainlint.analysis.values import Class, Const, Func, Instance, Mapping, Obj, Seq, Unknown, Value, is_none, truth
from trainlint.ops.framework_loop import FrameworkLoop, division_by, whole

MODULE = "lightning.LightningModule"
alias(
    MODULE,
    "lightning.core.module.LightningModule",
    "lightning.core.LightningModule",
    "lightning.core.lightning.LightningModule",
)
alias("lightning.Trainer", "lightning.trainer.Trainer", "lightning.trainer.trainer.Trainer")
alias("lightning.LightningDataModule", "lightning.core.datamodule.LightningDataModule")
# `precision=` of the Trainer → the dtype of autocast
MIXED = {"16-mixed": "float16", "16": "float16", "bf16-mixed": "bfloat16", "bf16": "bfloat16"}
TRUE = {"16-true": "half", "bf16-true": "bfloat16", "64-true": "double", "64": "double"}
FULL = ("32-true", "32", "None")


@op("lightning.Trainer")
def trainer(call: OpCall) -> Value | None:
    """The trainer with its arguments, where a step is to be followed."""
    if call.run.program.tape is None:
        return None
    return Obj(call.name, "lightning_trainer", call.node, call.args, call.kwargs, call.step(call.name))


@method("lightning_trainer", "fit")
def fit(call: OpCall) -> Value | None:
    """Models and loaders are set up, then the loop over the batches of training runs."""
    model = call.arg(0, "model")
    receiver = call.receiver
    if not isinstance(receiver, Obj) or not isinstance(model, Instance) or call.run.program.tape is None:
        return None
    options = receiver.kwargs
    loader = loader_of(call, model)
    every = whole(options.get("accumulate_grad_batches"), 1)
    # where it is not known: the peak is that of any number of batches
    loop = FrameworkLoop(call, "fit", 2 if every is None else every)
    for hook in ("configure_model", "setup"):
        own(call, model, hook, [Const("fit")])
    runner = spread(call, loop, model, options)
    optimizers = optimizers_of(own(call, model, "configure_optimizers", []))
    dtype = cast(call, loop, model, options.get("precision"))

    def body(batch: Value) -> None:
        call.run.event("forward", call.node, call.scope, runner, None, (batch,), "training_step")
        saved = call.run.autocast
        loop.autocast(dtype)
        result = own(call, model, "training_step", [batch, Unknown("batch_idx")])
        call.run.autocast = saved
        if truth(model.attrs.get("automatic_optimization")) is False:
            return
        loop.names["result"] = result
        loss = result.items.get("loss", Unknown("loss")) if isinstance(result, Mapping) else result
        if isinstance(loss, Array):
            loss = loop.names["loss"] = division_by(call, loss, loop.every)
        for optimizer in optimizers[:1] or [Unknown("the optimizer")]:
            loop.zero_grad(optimizer)
            loop.backward(loss)
            loop.step(optimizer)

    model.attrs["[optimizers]"] = Seq("list", list(optimizers))
    loop.over(loader, body)
    return Const(None)


def own(call: OpCall, holder: Value, name: str, args: list[Value]) -> Value:
    """Call a hook that the program defines, with as many of the arguments as it takes; None where it defines none."""
    member = holder.cls.find(name) if isinstance(holder, Instance) else None
    if not isinstance(member, Func):
        return Const(None)
    taken = [p for p in member.node.params[1:] if p.kind in ("normal", "positional", "star")]
    given = args if any(p.kind == "star" for p in taken) else args[: len(taken)]
    return call_function(call.run, call.scope, bind(member, holder), given, {}, call.node)


def loader_of(call: OpCall, model: Instance) -> Value:
    """What the batches come from: a loader that is handed in, a data module, or the model's own method."""
    given = call.arg(1, "train_dataloaders") or call.kwargs.get("train_dataloader")
    data = call.arg(3, "datamodule") if given is None or is_none(given) else given
    if isinstance(data, Instance) and isinstance(data.cls.find("train_dataloader"), Func):
        own(call, data, "setup", [Const("fit")])
        return own(call, data, "train_dataloader", [])
    if given is not None and not is_none(given):
        return given
    if isinstance(model.cls.find("train_dataloader"), Func):
        return own(call, model, "train_dataloader", [])
    return data if data is not None and not is_none(data) else Unknown("the loader")


def optimizers_of(result: Value) -> list[Value]:
    """The optimizers that `configure_optimizers` returns, in any of its forms."""
    if isinstance(result, Mapping):
        found = result.items.get("optimizer")
        return optimizers_of(found) if found is not None else []
    if isinstance(result, Seq) and result.items:
        first = result.items[0]
        # `[optimizers], [schedulers]`
        parts = first.items or [] if isinstance(first, Seq) else result.items
        return [optimizer for part in parts for optimizer in optimizers_of(part)]
    return [] if is_none(result) else [result]


def cast(call: OpCall, loop: FrameworkLoop, model: Instance, precision: Value | None) -> str | None:
    """The dtype of autocast that `precision=` asks for; a cast of the whole model takes place at once."""
    name = "32-true" if precision is None else str(precision.value) if isinstance(precision, Const) else "?"
    if name in TRUE:
        loop.method(model, TRUE[name])
    elif name not in FULL and name not in MIXED:
        loop.unseen.append(f"precision={name}")
    return MIXED.get(name)


def spread(call: OpCall, loop: FrameworkLoop, model: Instance, options: dict[str, Value]) -> Value:
    """The model as the strategy runs it: in DistributedDataParallel on several devices."""
    strategy, devices = options.get("strategy"), options.get("devices")
    name = str(strategy.value) if isinstance(strategy, Const) else "auto" if strategy is None else "?"
    several = isinstance(devices, Const) and isinstance(devices.value, int) and devices.value > 1
    if name.startswith("ddp") or (name == "auto" and several):
        return call_external(call.run, call.scope, "torch.nn.parallel.DistributedDataParallel", [model], {}, call.node)
    if name not in ("auto", "None"):
        loop.unseen.append(f"the strategy {name}")
    return model


@method(MODULE, "save_hyperparameters")
@method("lightning.LightningDataModule", "save_hyperparameters")
def save_hyperparameters(call: OpCall) -> Value | None:
    """The arguments of the constructor become `self.hparams`: all, those named, or what an object holds."""
    holder, active = call.receiver, call.run.active[-1] if call.run.active else None
    scope = call.run.frames[-1].scope if call.run.frames else None
    if not isinstance(holder, Instance) or active is None or scope is None:
        return Const(None)
    names = [p.name for p in active.params[1:] if p.kind not in ("star", "starstar")]
    chosen = [a.value for a in call.args if isinstance(a, Const)]
    items = {name: scope.names[name] for name in names if name in scope.names and (not call.args or name in chosen)}
    held: Value = Mapping(items, False)
    for given in call.args:
        if isinstance(given, (Mapping, Instance)):
            held = given
    call.run.touch(holder, "hparams")
    holder.attrs["hparams"] = held
    return Const(None)


@method(MODULE, "optimizers")
def optimizers(call: OpCall) -> Value | None:
    """What `configure_optimizers` returned: one optimizer by itself, several in a list."""
    held = call.receiver.attrs.get("[optimizers]") if isinstance(call.receiver, Instance) else None
    if not isinstance(held, Seq) or not held.items:
        return Unknown("self.optimizers()")
    return held.items[0] if len(held.items) == 1 else held


@method(MODULE, "manual_backward")
def manual_backward(call: OpCall) -> Value | None:
    if call.args:
        call.run.event("backward", call.node, call.scope, call.args[0])
    return Const(None)


@method(MODULE, "log", "log_dict", "print", "toggle_optimizer", "untoggle_optimizer", "lr_schedulers", "all_gather")
@method(MODULE, "clip_gradients", "on_before_zero_grad", "freeze", "unfreeze")
def bookkeeping(call: OpCall) -> Value | None:
    """What changes no memory that counts: a logged value is one number."""
    return Unknown(f"self.{call.name}(…)")


@op("lightning.cli.LightningCLI")
def cli(call: OpCall) -> Value | None:
    """`LightningCLI(Model, Data)` builds both with their defaults and fits."""
    if call.run.program.tape is None:
        return None
    made: list[Value] = []
    for index, name in enumerate(("model_class", "datamodule_class")):
        cls = call.arg(index, name)
        made.append(built(call, cls) if isinstance(cls, Class) else Const(None))
    runner = Obj("lightning.Trainer", "lightning_trainer", call.node)
    fit(OpCall(call.run, call.scope, call.node, "fit", [made[0]], {"datamodule": made[1]}, runner))
    return Unknown("LightningCLI(…)")


def built(call: OpCall, cls: Class) -> Value:
    """An object with the defaults of its constructor."""
    from trainlint.analysis.classes import instantiate

    return instantiate(call.run, call.scope, cls, [], {}, call.node)
