"""What `step()` of an optimizer holds for a while, followed statement by statement through its source (torch 2.13).

A step is written down as what its local variables hold: a value is freed when its variable is assigned again or
deleted, and the new value is made before the old one goes. The variables of one group of weights (one dtype) are
therefore still alive while the next group is worked on. Tensors without axes are not counted: they hold a few bytes,
and most of them are on the CPU. Gradients are taken to be dense and laid out as their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from trainlint.memory.options import Options, Unclear
from trainlint.memory.weights import Weight

Sizes = list[int]


class Locals:
    """The tensors that the local variables of a step hold, in bytes, and the largest set that lived at one time."""

    def __init__(self) -> None:
        self._held: dict[str, Sizes] = {}
        self._now = 0
        self._most = 0
        self.peak: Sizes = []

    def assign(self, name: str, sizes: Sizes, through: Sizes | None = None) -> None:
        """`name` = a new value; `through` are tensors of the expression that are gone once it is evaluated."""
        self._note((through or []) + sizes)
        self.delete(name)
        self._held[name] = sizes
        self._now += sum(sizes)

    def make(self, sizes: Sizes) -> None:
        """An expression whose value no variable keeps."""
        self._note(sizes)

    def rename(self, old: str, new: str) -> None:
        """`new` = `old`, and `old` is not read any more."""
        sizes = self._held.pop(old, [])
        self.delete(new)
        self._held[new] = sizes

    def delete(self, name: str) -> None:
        self._now -= sum(self._held.pop(name, ()))

    def _note(self, sizes: Sizes) -> None:
        total = self._now + sum(sizes)
        if total > self._most:
            self._most = total
            self.peak = [size for held in self._held.values() for size in held] + sizes


Step = Callable[[Options, Sequence[Weight], Locals], None]


def groups(weights: Sequence[Weight]) -> Iterator[list[Weight]]:
    """Weights of one dtype, as torch/utils/_foreach_utils.py groups them; dtypes of one size count as one.

    Of two dtypes the one seen last comes first (the groups are those of a C++ hash map); with three the order is a
    guess, which matters only where the variables of one group outlive it.
    """
    by_size: dict[int, list[Weight]] = {}
    for weight in weights:
        by_size.setdefault(weight.itemsize, []).append(weight)
    yield from reversed(by_size.values())


def changed_gradients(options: Options, local: Locals, sizes: Sizes, *, decoupled: bool = False) -> bool:
    """`maximize` negates a copy, weight decay adds into it or into a copy of its own; whether there is a copy.

    The multi-tensor form, with one list for all; the same in every optimizer that has it.
    """
    negated = options.on("maximize")
    local.delete("grads")
    local.assign("grads", sizes if negated else [])
    decayed = not decoupled and options.number("weight_decay", 0) != 0
    if decayed and not negated:
        local.assign("grads", sizes)
    return negated or decayed


def changed_gradient(
    options: Options, local: Locals, size: int, *, decoupled: bool = False, rebound: bool = False
) -> None:
    """The single-tensor form: here weight decay makes a new tensor even after `maximize` made one.

    With `rebound` the variable is set to the plain gradient first, which frees the copy made for the last weight.
    """
    if rebound:
        local.delete("grad")
    local.assign("grad", [size] if options.on("maximize") else [])
    if not decoupled and options.number("weight_decay", 0) != 0:
        local.assign("grad", [size])


def sgd(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/sgd.py `_multi_tensor_sgd`: without nesterov the list of gradients becomes that of the momenta."""
    for group in groups(weights):
        changed_gradients(options, local, [weight.size for weight in group])
        if options.number("momentum", 0) != 0 and not options.on("nesterov"):
            local.delete("grads")


def sgd_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_sgd`."""
    momentum = options.number("momentum", 0) != 0
    for weight in weights:
        changed_gradient(options, local, weight.size)
        if momentum:
            local.assign("grad", [weight.size] if options.on("nesterov") else [])


def adam(options: Options, weights: Sequence[Weight], local: Locals, *, decoupled: bool | None = None) -> None:
    """torch/optim/adam.py `_multi_tensor_adam`: the gradients are deleted before the square root is taken."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        changed_gradients(options, local, sizes, decoupled=is_decoupled(options, decoupled))
        local.delete("grads")
        local.assign("exp_avg_sq_sqrt", sizes)


def adam_loop(options: Options, weights: Sequence[Weight], local: Locals, *, decoupled: bool | None = None) -> None:
    """`_single_tensor_adam`."""
    for weight in weights:
        changed_gradient(options, local, weight.size, decoupled=is_decoupled(options, decoupled))
        local.make([weight.size])
        local.assign("denom", [weight.size], through=[weight.size])


def is_decoupled(options: Options, fixed: bool | None) -> bool:
    """torch/optim/adamw.py: AdamW is Adam whose weight decay shrinks the weights in place."""
    return options.on("decoupled_weight_decay") if fixed is None else fixed


def adamax(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/adamax.py `_multi_tensor_adamax`: the absolute gradients need a copy unless there is one."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        if not changed_gradients(options, local, sizes):
            local.assign("grads", sizes)


def adamax_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_adamax`."""
    for weight in weights:
        changed_gradient(options, local, weight.size, rebound=True)
        local.make([weight.size])


def nadam(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/nadam.py `_multi_tensor_nadam`."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        changed_gradients(options, local, sizes, decoupled=options.on("decoupled_weight_decay"))
        local.assign("exp_avg_sq_sqrt", sizes)


def nadam_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_nadam`."""
    for weight in weights:
        changed_gradient(options, local, weight.size, decoupled=options.on("decoupled_weight_decay"))
        local.assign("denom", [weight.size], through=[weight.size])


def radam(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/radam.py `_multi_tensor_radam`."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        changed_gradients(options, local, sizes, decoupled=options.on("decoupled_weight_decay"))
        local.delete("grads")
        local.assign("buffer", sizes)


def radam_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_radam` once the variance is rectified (from the sixth step on with the default betas).

    The deepest point of the product: what is multiplied so far, the square root, its reciprocal, the scaled reciprocal.
    """
    if rectified_never(options):
        raise Unclear("betas")
    for weight in weights:
        changed_gradient(options, local, weight.size, decoupled=options.on("decoupled_weight_decay"))
        local.assign("bias_corrected_exp_avg", [weight.size])
        local.make([weight.size] * 4)


def rectified_never(options: Options) -> bool:
    """Whether the second beta is so small that the variance is never rectified."""
    betas = options.value("betas", (0.9, 0.999))
    if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not isinstance(betas[1], (int, float)):
        raise Unclear("betas")
    return 2 / (1 - betas[1]) - 1 <= 5


def rmsprop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/rmsprop.py `_multi_tensor_rmsprop`."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        changed_gradients(options, local, sizes)
        local.assign("avg", sizes)


def rmsprop_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_rmsprop`."""
    for weight in weights:
        changed_gradient(options, local, weight.size, rebound=True)
        local.assign("avg", [weight.size])


def adagrad(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/adagrad.py `_multi_tensor_adagrad`: the numerator reuses a copy of the gradients."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        copied = changed_gradients(options, local, sizes)
        local.assign("std", sizes)
        if copied:
            local.rename("grads", "numerator")
        else:
            local.assign("numerator", sizes)


def adadelta(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/adadelta.py `_multi_tensor_adadelta`."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        changed_gradients(options, local, sizes)
        local.assign("std", sizes)
        local.assign("deltas", sizes)


def adadelta_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_adadelta`."""
    for weight in weights:
        changed_gradient(options, local, weight.size, rebound=True)
        local.assign("std", [weight.size])
        local.assign("delta", [weight.size])


def rprop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/rprop.py `_multi_tensor_rprop`: besides the signs a mask and the masked gradient of one weight."""
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        local.assign("signs", sizes)
        local.delete("sign")
        for weight in group:
            local.make([weight.elements, weight.size])
        local.delete("signs")
        # the variable of the loops over the signs still holds the last of them
        local.assign("sign", sizes[-1:])
        local.assign("grad_signs", sizes)


def asgd(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/asgd.py `_multi_tensor_asgd`."""
    maximize, decayed = options.on("maximize"), options.number("weight_decay", 0) != 0
    for group in groups(weights):
        sizes = [weight.size for weight in group]
        local.delete("grads")
        local.assign("grads", sizes if maximize else [])
        if not (maximize and decayed):
            local.assign("intermediate", sizes)
            local.delete("intermediate")
        local.make(sizes)


def adafactor(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/_adafactor.py `_multi_tensor_adafactor`; matrices and vectors are groups of their own."""
    for group in groups(weights):
        for matrices in dict.fromkeys(len(weight.shape) > 1 for weight in group):
            members = [weight for weight in group if (len(weight.shape) > 1) == matrices]
            sizes = [weight.size for weight in members]
            local.delete("grads")
            local.assign("grads", sizes if options.on("maximize") else [])
            if matrices:
                local.make([row(weight) for weight in members])
                local.make([column(weight) for weight in members])
                local.assign("var_estimates", sizes)
                local.make([row(weight) // weight.shape[-2] for weight in members])
            else:
                local.make(sizes)
                local.assign("var_estimates", sizes)
            local.rename("var_estimates", "updates")


def adafactor_loop(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """`_single_tensor_adafactor`, the default; a vector's squares and the factors' means outlive their weight."""
    for weight in weights:
        local.assign("grad", [weight.size] if options.on("maximize") else [])
        if len(weight.shape) > 1:
            local.assign("row_mean", [row(weight)])
            local.assign("col_mean", [column(weight)])
            local.assign("var_estimate", [weight.size])
            local.make([row(weight) // weight.shape[-2]])
        else:
            local.assign("grad_squared", [weight.size])
            local.assign("var_estimate", [weight.size])
        local.rename("var_estimate", "update")


def row(weight: Weight) -> int:
    """Bytes of the statistic that sums over the last axis."""
    return weight.size // weight.shape[-1] if weight.shape[-1] else 0


def column(weight: Weight) -> int:
    """Bytes of the statistic that sums over the last axis but one."""
    return weight.size // weight.shape[-2] if weight.shape[-2] else 0


def muon(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """torch/optim/_muon.py `_zeropower_via_newtonschulz`: bfloat16 copies and products of the smaller side."""
    steps = int(options.number("ns_steps", 5))
    for weight in weights:
        if len(weight.shape) != 2 or weight.itemsize == 2:
            raise Unclear("a bfloat16 weight is not copied, a float16 weight is")
        half, gram = 2 * weight.elements, 2 * min(weight.shape) ** 2
        local.assign("update", [weight.size] if options.on("nesterov", True) else [])
        local.assign("ortho_grad", [half])
        for _ in range(steps):
            local.assign("gram_matrix", [gram])
            local.assign("gram_update", [gram])
            local.assign("ortho_grad", [half])
        local.delete("gram_matrix")
        local.delete("gram_update")
        local.rename("ortho_grad", "update")


def lion(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """lion_pytorch/lion_pytorch.py `update_fn`: a scaled clone of the average, then the update; freed on return."""
    if options.on("use_triton") or options.number("cautious_factor", 1) != 1:
        raise Unclear("use_triton")
    for weight in weights:
        local.make([weight.size] * 2)


def transformers_adafactor(options: Options, weights: Sequence[Weight], local: Locals) -> None:
    """transformers/optimization.py `Adafactor.step`; weights and gradients in half precision are copied to float32."""
    momentum = options.value("beta1") is not None
    for weight in weights:
        full = Weight(weight.shape, max(4, weight.itemsize))
        whole, converted = [full.size], [full.size] if weight.itemsize < 4 else []
        for name in ("grad", "p_data_fp32"):
            local.delete(name)
            local.assign(name, converted)
        local.assign("update", whole, through=whole)
        if len(weight.shape) > 1:
            local.assign("update", whole, through=[row(full), column(full)])
        else:
            local.assign("update", whole)
        if momentum:
            local.delete("update")
        local.make(whole)


def bitsandbytes(known: bool, options: Options) -> Sizes | None:
    """bitsandbytes/optim/optimizer.py `update_step`: kernels that work in place; clipping makes a few scalars."""
    return [] if known and options.number("percentile_clipping", 100) >= 100 else None


MULTI: dict[str, Step] = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": partial(adam, decoupled=True),
    "Adamax": adamax,
    "NAdam": nadam,
    "RAdam": radam,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "Rprop": rprop,
    "ASGD": asgd,
    "Adafactor": adafactor,
}

SINGLE: dict[str, Step] = {
    "SGD": sgd_loop,
    "Adam": adam_loop,
    "AdamW": partial(adam_loop, decoupled=True),
    "Adamax": adamax_loop,
    "NAdam": nadam_loop,
    "RAdam": radam_loop,
    "RMSprop": rmsprop_loop,
    "Adagrad": rmsprop_loop,
    "Adadelta": adadelta_loop,
    "Adafactor": adafactor_loop,
    "Muon": muon,
}

OTHERS: dict[tuple[str, str], Step] = {
    ("lion_pytorch", "Lion"): lion,
    ("transformers", "Adafactor"): transformers_adafactor,
}
