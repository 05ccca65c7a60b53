"""albumentations and einops: pipelines on dicts of arrays, axes by name."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, called, kind, op
from trainlint.analysis.values import Array, Const, Mapping, Obj, Seq, Unknown, Value

kind("augmentation", "albumentations.*")


@called("augmentation")
def pipeline(call: OpCall) -> Value | None:
    """`transform(image=image)["image"]`: augmentations keep HWC and colour; `ToTensorV2` moves the channels."""
    image = call.kwargs.get("image")
    obj = call.receiver
    if not isinstance(image, Array) or not isinstance(obj, Obj):
        return Mapping({}, True)
    return Mapping({**call.kwargs, "image": through(call, obj, image)}, True)


def through(call: OpCall, obj: Obj, image: Array) -> Value:
    short = obj.name.rpartition(".")[2]
    if short in ("Compose", "OneOf", "SomeOf", "Sequential"):
        steps = obj.arg(0, "transforms")
        if not isinstance(steps, Seq) or steps.items is None:
            return Unknown("an augmented image")
        if short != "Compose" and short != "Sequential":
            return image.but(shape=None)
        for step in steps.items:
            if isinstance(step, Obj) and step.kind == "augmentation":
                after = through(call, step, image)
                if not isinstance(after, Array):
                    return after
                image = after
            elif not isinstance(step, Const):
                return Unknown("an augmented image")
        return image
    if short in ("ToTensorV2", "ToTensor"):
        layout = "CHW" if image.layout in ("HWC", "HW") else None
        return image.but(lib="torch", layout=layout, shape=None, origin=call.step("`ToTensorV2`: CHW", image))
    if short in ("Normalize", "ToFloat"):
        return image.but(range="norm" if short == "Normalize" else "unit", dtype="float32")
    return image.but(shape=None)


@op("einops.rearrange")
def rearrange(call: OpCall) -> Value | None:
    """`rearrange(x, "h w c -> c h w")`: the axes by the pattern's letters where it only permutes."""
    value, pattern = call.arg(0, "tensor"), call.const(1, "pattern")
    if not isinstance(value, Array):
        return None
    if isinstance(pattern, str) and "->" in pattern and "(" not in pattern and value.layout is not None:
        before, after = (side.split() for side in pattern.split("->"))
        if len(before) == len(value.layout) and sorted(before) == sorted(after):
            by_name = dict(zip(before, value.layout, strict=True))
            layout = "".join(by_name[name] for name in after)
            return value.but(layout=layout, shape=None, origin=call.step(f"rearranged to {layout}", value))
    return value.but(layout=None, shape=None, channels=None)


@op("einops.repeat", "einops.reduce")
def other(call: OpCall) -> Value | None:
    value = call.arg(0, "tensor")
    return Array(lib=value.lib, grad=value.grad) if isinstance(value, Array) else None
