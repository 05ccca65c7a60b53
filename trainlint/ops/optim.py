"""Optimizers and learning-rate schedulers."""

from __future__ import annotations

from trainlint.analysis.facts import Optimizer, Scheduler
from trainlint.analysis.registry import OpCall, alias, kind, method, op
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Unknown, Value
from trainlint.ops.accelerators import cycle
from trainlint.syntax import ir

kind("optimizer", "torch.optim.*", "bitsandbytes.optim.*", "apex.optimizers.*", "timm.optim.*", "torch_optimizer.*")
kind("optimizer", "transformers.AdamW", "transformers.optimization.AdamW", "transformers.Adafactor")
kind("optimizer", "transformers.optimization.Adafactor", "lion_pytorch.Lion", "deepspeed.ops.adam.FusedAdam")
kind("optimizer", "deepspeed.ops.adam.DeepSpeedCPUAdam", "sam.SAM", "prodigyopt.Prodigy", "pytorch_optimizer.*")
kind("optimizer", "torch.distributed.optim.ZeroRedundancyOptimizer")
kind("scheduler", "torch.optim.lr_scheduler.*", "timm.scheduler.*")
kind("averaged", "torch.optim.swa_utils.AveragedModel")
for _name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "ASGD", "LBFGS", "RAdam", "NAdam"):
    alias(f"torch.optim.{_name}", f"torch.optim.{_name.lower()}.{_name}")

# keyword of the learning rate → its position in the constructor; torch.optim puts it right after the parameters
ADAM = frozenset(
    [
        "Adam",
        "AdamW",
        "Adamax",
        "NAdam",
        "RAdam",
        "SparseAdam",
        "FusedAdam",
        "DeepSpeedCPUAdam",
        "Adam8bit",
        "AdamW8bit",
        "PagedAdamW",
        "PagedAdamW8bit",
        "AdamP",
        "FusedLAMB",
        "Lamb",
        "Lion",
        "AdaBound",
    ]
)
SGD = frozenset({"SGD", "ASGD", "FusedSGD", "SGDP", "SGD8bit"})


@method("optimizer", "__init__")
def built(call: OpCall) -> Value | None:
    """Report the optimizer with its learning rate."""
    obj = call.receiver
    if isinstance(obj, Obj) and isinstance(call.node, ir.Call):
        short = obj.name.rpartition(".")[2]
        family = "adam" if short in ADAM else "sgd" if short in SGD else "other"
        params = obj.arg(0, "params")
        call.run.event("optimizer", call.node, call.scope, obj, params)
        lr = obj.arg(1, "lr")
        node = argument_node(call.node, 1, "lr")
        group_lr = group_rate(obj)
        if lr is None and group_lr is not None:
            lr, node = group_lr, None
        if lr is None and obj.spilled:
            lr = Unknown("lr")
        call.run.fact(
            Optimizer(
                obj.name, family, call.node, call.scope.file, obj, lr, node, call.run.function, obj.arg(0, "params")
            )
        )
    return None


def group_rate(obj: Obj) -> Value | None:
    """The learning rate of the first parameter group that states one."""
    groups = obj.arg(0, "params")
    if isinstance(groups, Seq) and groups.items:
        for group in groups.items:
            if isinstance(group, Mapping) and "lr" in group.items:
                return group.items["lr"]
    return None


def argument_node(node: ir.Call, index: int, name: str) -> ir.Expr | None:
    for keyword, value in node.keywords:
        if keyword == name:
            return value
    plain = node.args[: index + 1]
    if len(plain) > index and not any(isinstance(a, ir.Star) for a in plain):
        return plain[index]
    return None


@op("transformers.TrainingArguments", "transformers.Seq2SeqTrainingArguments")
def training_arguments(call: OpCall) -> Value | None:
    """The Trainer's own AdamW with the learning rate of its arguments."""
    obj = Obj(call.name, "training_arguments", call.node, call.args, call.kwargs, call.step(call.name))
    if isinstance(call.node, ir.Call) and "learning_rate" in call.kwargs:
        node = argument_node(call.node, 99, "learning_rate")
        lr = call.kwargs["learning_rate"]
        fact = Optimizer(call.name, "fine-tuning", call.node, call.scope.file, obj, lr, node, call.run.function, None)
        call.run.fact(fact)
    return obj


@method("optimizer", "zero_grad")
def zero_grad(call: OpCall) -> Value | None:
    if call.receiver is not None:
        kept = call.arg(0, "set_to_none")
        with cycle(call):
            call.run.event("zero_grad", call.node, call.scope, call.receiver, kept, tuple(call.args))
    return Const(None)


@method("optimizer", "step")
def step(call: OpCall) -> Value | None:
    """`optimizer.step()`; a closure that is passed is called."""
    from trainlint.analysis.calls import call as invoke
    from trainlint.analysis.values import Func

    closure = call.arg(0, "closure")
    if isinstance(closure, Func):
        invoke(call.run, call.scope, closure, [], {}, call.node)
    elif closure is not None and not isinstance(closure, Const) and call.receiver is not None:
        call.run.event("unknown_call", call.node, call.scope, closure, None, (call.receiver,), "closure")
    if call.receiver is not None:
        with cycle(call):
            call.run.event("step", call.node, call.scope, call.receiver, None, tuple(call.args))
    return Unknown("closure loss")


@method("optimizer", "state_dict", "load_state_dict", "add_param_group", "param_groups", "register_step_post_hook")
def bookkeeping(call: OpCall) -> Value | None:
    return Unknown(call.name)


@method("optimizer", "train", "eval")
def schedule_free(call: OpCall) -> Value | None:
    return Const(None)


@method("scheduler", "__init__")
def scheduled(call: OpCall) -> Value | None:
    obj = call.receiver
    if isinstance(obj, Obj) and isinstance(call.node, ir.Call):
        optimizer = obj.arg(0, "optimizer")
        call.run.fact(
            Scheduler(obj.name, call.node, call.scope.file, obj, optimizer, call.run.function, call.run.trace)
        )
    return None


@op(
    "transformers.get_scheduler",
    "transformers.get_linear_schedule_with_warmup",
    "transformers.get_cosine_schedule_with_warmup",
    "transformers.get_constant_schedule_with_warmup",
    "transformers.optimization.get_linear_schedule_with_warmup",
    "transformers.optimization.get_cosine_schedule_with_warmup",
    "diffusers.optimization.get_scheduler",
)
def hf_schedule(call: OpCall) -> Value | None:
    obj = Obj(call.name, "scheduler", call.node, call.args, call.kwargs, call.step(call.name))
    index = 1 if call.name.endswith("get_scheduler") else 0
    optimizer = call.arg(index, "optimizer")
    if isinstance(call.node, ir.Call):
        call.run.fact(
            Scheduler(call.name, call.node, call.scope.file, obj, optimizer, call.run.function, call.run.trace)
        )
    return obj


@method("scheduler", "step", "step_update", "step_frac")
def scheduler_step(call: OpCall) -> Value | None:
    if call.receiver is not None:
        value = call.arg(0, "metrics")
        call.run.event("scheduler_step", call.node, call.scope, call.receiver, value, tuple(call.args))
    return Const(None)


@method("scheduler", "get_last_lr", "get_lr", "state_dict", "load_state_dict", "print_lr", "num_bad_epochs")
def scheduler_bookkeeping(call: OpCall) -> Value | None:
    return Unknown(call.name)


@method("parameters", "__iter__")
def iterate_parameters(call: OpCall) -> Value | None:
    """A parameter of the model: writing its `grad` clears gradients."""
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    found = obj.attrs.get("element")
    if found is None:
        parameter = Unknown("a parameter")
        if call.run.program.watch is not None:
            # overridable, so that it decides no branch; a loop that freezes replaces it
            parameter.attrs = {"requires_grad": Const(True, default="`requires_grad`")}
        named = obj.kind == "named_parameters"
        found = obj.attrs["element"] = Seq("tuple", [Unknown("name"), parameter]) if named else parameter
    return found
