"""`transformers.Trainer.train()`: the step that it runs, with the options of TrainingArguments.

Order and defaults are those of `trainer.py` and `training_args.py` of transformers 5.24: forward, backward, step, and
`model.zero_grad()` after it. `tests/memory/frameworks.json` holds what the real library does.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import bind, get_attribute
from trainlint.analysis.calls import call_external
from trainlint.analysis.registry import OpCall, method, op
from trainlint.analysis.values import Const, Ext, Func, Instance, Mapping, Obj, Seq, Unknown, Value, is_none
from trainlint.ops.framework_loop import FrameworkLoop, division_by, whole

TRAINERS = ("transformers.Trainer", "transformers.Seq2SeqTrainer")
ORDER = ("model", "args", "data_collator", "train_dataset")
# `optim=` → the class and its own options; the default since torch 2.8 is the fused AdamW
OPTIMIZERS: dict[str, tuple[str, dict[str, object]]] = {
    "adamw_torch_fused": ("torch.optim.AdamW", {"fused": True}),
    "adamw_torch": ("torch.optim.AdamW", {}),
    "adamw_hf": ("torch.optim.AdamW", {}),
    "adamw_bnb_8bit": ("bitsandbytes.optim.AdamW8bit", {}),
    "adamw_8bit": ("bitsandbytes.optim.AdamW8bit", {}),
    "adafactor": ("transformers.Adafactor", {"scale_parameter": False, "relative_step": False}),
    "sgd": ("torch.optim.SGD", {}),
    "adagrad": ("torch.optim.Adagrad", {}),
    "rmsprop": ("torch.optim.RMSprop", {}),
    "lion_32bit": ("bitsandbytes.optim.Lion", {}),
    "lion_8bit": ("bitsandbytes.optim.Lion8bit", {}),
}
# more micro-batches of a cycle than that are not recorded one by one
MOST_AHEAD = 64
# options that change the step in a way that is not followed
OTHER = ("gradient_checkpointing", "deepspeed", "fsdp", "torch_compile", "neftune_noise_alpha", "use_liger_kernel")


@op(*TRAINERS)
def trainer(call: OpCall) -> Value | None:
    """The trainer with its arguments, where a step is to be followed."""
    if call.run.program.tape is None:
        return None
    return Obj(call.name, "hf_trainer", call.node, call.args, call.kwargs, call.step(call.name))


@method("hf_trainer", "train")
@method("transformers.Trainer", "train")
@method("transformers.Seq2SeqTrainer", "train")
def train(call: OpCall) -> Value | None:
    """Set up loader and optimizer, then run the loop."""
    holder = call.receiver
    if not isinstance(holder, (Obj, Instance)) or call.run.program.tape is None:
        return None
    args = given(holder, "args")
    model = model_of(call, holder)
    every = whole(option(args, "gradient_accumulation_steps"), 1)
    loop = FrameworkLoop(call, "train", 2 if every is None else every)
    # `get_batch_samples`: the loader of Accelerate has them on the device
    loop.ahead = True
    if every is None or every > MOST_AHEAD:
        loop.unseen.append("gradient_accumulation_steps")
    loader = loader_of(call, loop, holder, args)
    optimizer = optimizer_of(call, loop, holder, model, args)
    if isinstance(model, Instance) and isinstance(config := model.attrs.get("config"), Instance):
        # `use_cache` of TrainingArguments
        call.run.touch(config, "use_cache")
        config.attrs["use_cache"] = option(args, "use_cache") or Const(False)
    for name in OTHER:
        value = option(args, name)
        if name == "gradient_checkpointing" and is_on(value) and isinstance(model, Instance) and model.cls.file.library:
            given_options = option(args, "gradient_checkpointing_kwargs")
            loop.method(model, "gradient_checkpointing_enable", *([given_options] if given_options is not None else []))
            continue
        if value is not None and not (isinstance(value, Const) and not value.value):
            loop.unseen.append(name)
    dtype = next((d for n, d in (("bf16", "bfloat16"), ("fp16", "float16")) if is_on(option(args, n))), None)

    def body(batch: Value) -> None:
        saved = call.run.autocast
        loop.autocast(dtype)
        loss = loss_of(call, loop, holder, model, labelled(model, renamed(batch)))
        call.run.autocast = saved
        if isinstance(loss, Array):
            loss = loop.names["loss"] = division_by(call, loss, loop.every)
        loop.backward(loss)
        loop.step(optimizer)
        loop.zero_grad(model)

    loop.over(loader, body)
    return Const(None)


def given(holder: Obj | Instance, name: str) -> Value | None:
    """An argument of the trainer's constructor; of a class of the program, what it was called with."""
    if name in holder.kwargs:
        return holder.kwargs[name]
    index = ORDER.index(name) if name in ORDER else 99
    return holder.args[index] if index < len(holder.args) else None


def option(args: Value | None, name: str) -> Value | None:
    """An option of TrainingArguments, None where it has its default."""
    if isinstance(args, (Obj, Instance)):
        found = args.attrs.get(name)
        if found is not None and not isinstance(found, Unknown):
            return found
        return args.kwargs.get(name)
    return None if args is None or is_none(args) else Unknown(name)


def is_on(value: Value | None) -> bool:
    return isinstance(value, Const) and bool(value.value)


def model_of(call: OpCall, holder: Obj | Instance) -> Value:
    model = given(holder, "model")
    if model is not None and not is_none(model):
        return model
    init = given(holder, "model_init")
    from trainlint.analysis.calls import call as invoke

    return invoke(call.run, call.scope, init, [], {}, call.node) if init is not None else Unknown("the model")


def loader_of(call: OpCall, loop: FrameworkLoop, holder: Obj | Instance, args: Value | None) -> Value:
    """The loader of training: the trainer's own method, or a DataLoader as `get_train_dataloader` makes it."""
    if isinstance(holder, Instance) and isinstance(own := holder.cls.find("get_train_dataloader"), Func):
        return loop.call(bind(own, holder), [])
    size = option(args, "per_device_train_batch_size") or Const(8)
    options: dict[str, Value] = {"batch_size": size}
    collate = given(holder, "data_collator")
    plain = isinstance(collate, Ext) and collate.name.endswith("default_data_collator")
    if collate is not None and not is_none(collate) and not plain:
        options["collate_fn"] = collate
    if (drop := option(args, "dataloader_drop_last")) is not None:
        options["drop_last"] = drop
    dataset = given(holder, "train_dataset") or Unknown("the data set")
    return Obj("torch.utils.data.DataLoader", "loader", call.node, [dataset], options)


def optimizer_of(call: OpCall, loop: FrameworkLoop, holder: Obj | Instance, model: Value, args: Value | None) -> Value:
    """The optimizer that is handed in, or the one that `optim=` names."""
    pair = given(holder, "optimizers")
    if isinstance(pair, Seq) and pair.items and not is_none(pair.items[0]):
        return pair.items[0]
    if isinstance(holder, Instance) and isinstance(own := holder.cls.find("create_optimizer"), Func):
        return loop.call(bind(own, holder), [])
    wanted = option(args, "optim")
    name = "adamw_torch_fused" if wanted is None else wanted.value if isinstance(wanted, Const) else None
    if name not in OPTIMIZERS:
        return Unknown(f"the optimizer {name or ''}".rstrip())
    cls, options = OPTIMIZERS[name]
    listing = loop.method(model, "parameters")
    return call_external(call.run, call.scope, cls, [listing], {k: Const(v) for k, v in options.items()}, call.node)


def renamed(batch: Value) -> Value:
    """`default_data_collator` calls the labels of single samples `labels`."""
    if not isinstance(batch, Mapping):
        return batch
    return Mapping({"labels" if k in ("label", "label_ids") else k: v for k, v in batch.items.items()}, batch.open)


def labelled(model: Value, batch: Value) -> Value:
    """A classifier needs the class of each sample; a data set of the hub has it where the program names it nowhere."""
    if not isinstance(batch, Mapping) or not batch.open or "labels" in batch.items or not isinstance(model, Instance):
        return batch
    first = next((v for v in batch.items.values() if isinstance(v, Array) and v.shape), None)
    if first is None or first.shape is None or not model.cls.name.endswith("ForSequenceClassification"):
        return batch
    return Mapping({**batch.items, "labels": Array(shape=first.shape[:1], dtype="int64", grad=False)}, batch.open)


def loss_of(call: OpCall, loop: FrameworkLoop, holder: Obj | Instance, model: Value, batch: Value) -> Value:
    """`compute_loss`: the program's own, or the loss that the model gives itself."""
    if isinstance(holder, Instance) and isinstance(own := holder.cls.find("compute_loss"), Func):
        return loop.call(bind(own, holder), [model, batch])
    if not isinstance(batch, Mapping):
        return loop.call(model, [], {"**": batch})
    result = loop.names["outputs"] = loop.call(model, [], {str(k): v for k, v in batch.items.items()})
    if isinstance(result, Mapping):
        loss = result.items.get("loss", Unknown("loss"))
    elif isinstance(result, Seq):
        loss = result.items[0] if result.items else Unknown("loss")
    else:
        loss = get_attribute(call.run, call.scope, result, "loss", call.node)
    loop.names["loss"] = loss
    # the outputs go when `compute_loss` is left
    loop.note()
    del loop.names["outputs"]
    return loss
