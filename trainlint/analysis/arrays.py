"""Images, arrays and tensors: what is known of their form, content and place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from trainlint.analysis.values import Const, Obj, Place, Step, Value, truth


class Bounds(NamedTuple):
    """The least and the greatest element of a tensor of integers; `certain` where both surely occur in it."""

    low: Value
    high: Value
    certain: bool = True


@dataclass(eq=False)
class Array(Value):
    """An image, array or tensor with what is known of it.

    `shape` holds one size an axis (`Const`, `Sym`, or `Unknown` where only the rank is known) and is None where even
    the rank is not known; `tail` then holds the last axes where those are known (a `Linear` of an unknown input gives
    `tail == (out_features,)`). Read axes with `axis(array, -1)`, never through the fields, and give every new shape
    through `but(shape=…)`, which drops what no longer holds.

    `layout` names the axes in order (`HWC`, `NCHW`, `THWC`), aligned with `shape`; `channels` is the size of its `C`
    where that is a known integer; `colour` is RGB, BGR, GRAY, RGBA, BGRA, HSV, …, or `RGB?`
    where the image is RGB if it has colours at all; `range` is `255` (0–255), `unit`
    (0–1), `norm` (normalised, `stats` says with which mean and std), `prob` (softmax), `logprob`, `sigmoid`, `index`
    (argmax), `label` (class numbers of a data set: 0 up to `classes`), `logits` (affine output of a layer), `exp`,
    `expsum`, `root` (see `ops.stability`); `dtype` is torch's or NumPy's name without the prefix (`float32`, `int64`,
    `bool`); `grad` says whether an autograd graph hangs on it (None: not known); `device` is `cpu`, `cuda`, … or
    `given` where it is set but not a constant.
    """

    lib: str = "torch"
    layout: str | None = None
    channels: int | None = None
    colour: str | None = None
    range: str | None = None
    dtype: str | None = None
    shape: tuple[Value, ...] | None = None
    grad: bool | None = None
    device: str | None = None
    likely: bool = False
    # the axis that softmax or argmax ran over, the last layer: what a loss rule names
    via: Place | None = None
    origin: Step | None = None
    tail: tuple[Value, ...] | None = None
    # mean and std that a normalisation used, for messages and double normalisation
    stats: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    # labels (range `label`) are the integers below this number
    classes: Value | None = None
    # of integers that the program states; every copy that is made with `but` loses it unless it is given
    bounds: Bounds | None = None

    # the numbers that a short tensor surely holds, of `torch.linspace`; every copy loses them unless they are given
    numbers: tuple[float, ...] | None = None

    # the last axis holds the vector of a token (of an `Embedding`, of a recurrent layer): `token`, or `sequence` where
    # in all likelihood a batch and a time axis stand before it (`batch_first`); a new shape drops it
    vectors: str | None = None

    # the symbols that stand for sizes that are not known, once they were asked for; they are this object's own
    axes: dict[int, Value] | None = None
    # the `nn.Parameter` whose memory this is: the parameter itself, or with `grad` False what `.data` gives
    source: Value | None = None

    def but(self, **changes: Any) -> Array:
        """A copy with the given fields changed. A new `shape` (None too) drops the old tail unless one is given."""
        # a third of the time of `dataclasses.replace`, on the way of every operation
        result = Array.__new__(Array)
        state = result.__dict__
        state.update(self.__dict__)
        state["axes"] = state["bounds"] = state["source"] = state["numbers"] = None
        if "shape" in changes:
            state["vectors"] = None
            if "tail" not in changes:
                state["tail"] = None
        state.update(changes)
        return result

    @property
    def rank(self) -> int | None:
        """The number of axes, None where it is not known."""
        return len(self.shape) if self.shape is not None else None

    def __repr__(self) -> str:
        parts = [self.lib, self.dtype or "", self.layout or "", self.colour or "", self.range or ""]
        if self.shape is not None:
            parts.append(f"({', '.join(map(repr, self.shape))})")
        elif self.tail is not None:
            parts.append(f"(..., {', '.join(map(repr, self.tail))})")
        return "array(" + " ".join(p for p in parts if p) + ")"


def tensor_of(value: Value) -> Value:
    """The tensor that a `nn.Parameter` is in a calculation; any other value as it is."""
    if not isinstance(value, Obj) or value.kind != "parameter":
        return value
    data, wanted = value.arg(0, "data"), value.arg(1, "requires_grad")
    if not isinstance(data, Array):
        return value
    # it moves and is cast with its module
    grad = True if wanted is None else truth(wanted)
    cast = value.attrs.get("[dtype]")
    dtype = data.dtype if cast is None else cast.value if isinstance(cast, Const) else None
    tensor = data.but(grad=grad, device=None, dtype=dtype, origin=value.origin)
    tensor.source = value
    return tensor


def axis(array: Array, index: int) -> Value | None:
    """The size of one axis (negative from the end), None where it is not known or out of range."""
    if array.shape is not None:
        return array.shape[index] if -len(array.shape) <= index < len(array.shape) else None
    if array.tail is not None and index < 0 and -index <= len(array.tail):
        return array.tail[index]
    return None
