"""Automatic mixed precision: what a context or decorator of autocast says."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis.values import Const, Ext, Obj, OneOf, Value, alternatives, assumed_truth

# the dtype of a device where none is given (torch/amp/autocast_mode.py)
USUAL = {"cuda": "float16", "cpu": "bfloat16", "xpu": "bfloat16", "mps": "float16"}
HALVES = {"float16": "float16", "half": "float16", "bfloat16": "bfloat16", "float32": "float32", "float": "float32"}
OFF = ("contextlib.nullcontext", "nullcontext")


@dataclass(frozen=True, slots=True)
class Autocast:
    """A region of automatic mixed precision.

    `on` is None where it is not known whether it is in force, `dtype` None where that is not known. `region` tells the
    outermost context: until it is left, the copies of weights are kept. `caches` says whether they are.
    """

    on: bool | None
    dtype: str | None
    region: int
    device: str = "cuda"
    caches: bool = True


def autocast_of(value: Value, outer: Autocast | None, region: int) -> Autocast | None:
    """What is in force inside a context; `outer` where the context has nothing to do with autocast."""
    parts = alternatives(value)
    found = next((part for part in parts if isinstance(part, Obj) and is_autocast(part)), None)
    if not isinstance(found, Obj):
        return outer
    made = entered(found, outer.region if outer is not None else region)
    if len(parts) > 1:
        # on a machine without a GPU the other alternative is taken
        plain = all(part is found or (isinstance(part, Obj) and part.name in OFF) for part in parts)
        on = made.on if plain and made.device != "cpu" else None
        return Autocast(on, made.dtype, made.region, made.device, made.caches)
    return made


def is_autocast(value: Obj) -> bool:
    return value.kind == "autocast" and not value.name.endswith("no_sync")


def entered(context: Obj, region: int) -> Autocast:
    """The arguments of `torch.autocast("cuda", …)`, `torch.cuda.amp.autocast(…)`."""
    module, _, _ = context.name.rpartition(".")
    if module == "accelerate":
        # the Accelerator decides
        return Autocast(None, None, region)
    fixed = module.removeprefix("torch.").partition(".")[0] if module.endswith((".cuda.amp", ".cpu.amp")) else None
    names = ("enabled", "dtype", "cache_enabled") if fixed else ("device_type", "dtype", "enabled", "cache_enabled")
    given = {**dict(zip(names, context.args, strict=False)), **context.kwargs}
    device = fixed or device_named(given.get("device_type"))
    enabled, caches = given.get("enabled"), given.get("cache_enabled")
    on = True if enabled is None else assumed_truth(enabled)
    keeps = caches is None or assumed_truth(caches) is not False
    return Autocast(on, dtype_of(given.get("dtype"), device), region, device, keeps)


def device_named(value: Value | None) -> str:
    """A device that is not known is taken for a GPU: its memory is what is asked for."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value.partition(":")[0]
    return "cuda"


def dtype_of(value: Value | None, device: str) -> str | None:
    """The dtype that operations are cast to. Of two halves, one: they take the same memory."""
    if value is None or (isinstance(value, Const) and value.value is None):
        return USUAL.get(device, "float16")
    if isinstance(value, OneOf):
        found = {dtype_of(part, device) for part in value.values}
        return "bfloat16" if found <= {"float16", "bfloat16"} else found.pop() if len(found) == 1 else None
    if isinstance(value, Ext):
        library, _, name = value.name.rpartition(".")
        return HALVES.get(name) if library == "torch" else None
    return None
