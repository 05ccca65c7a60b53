"""The tensors an optimizer keeps on the device for a weight, by optimizer.

Each entry follows `_init_group` or the state initialisation of the file it names; torch is release 2.13. Where the
optimizer keeps a "step" counter on the CPU it is left out, where `capturable` or `fused` put it on the device it is the
four bytes of a float32 scalar (eight if the default dtype was changed to float64, which is not modelled).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trainlint.memory.options import Options, Unclear
from trainlint.memory.weights import Weight

State = Callable[[Options, Weight], list[int]]

FLOAT32 = 4
SCALAR = FLOAT32


def copies(count: int, *, when: str | None = None, default: float = 0) -> State:
    """`count` tensors like the weight, and one more where the option `when` (by default `default`) is not zero."""

    def state(options: Options, weight: Weight) -> list[int]:
        return [weight.size] * (count + (when is not None and options.number(when, default) != 0))

    return state


def float32_copies(count: int) -> State:
    """`count` tensors of the weight's shape, in float32 whatever the weight is."""
    return lambda options, weight: [weight.elements * max(FLOAT32, weight.itemsize)] * count


# ---- torch.optim


def counters(options: Options, count: int = 1, *, fused: bool = False) -> list[int]:
    """The 0-dim tensors that `capturable` (and `fused`) move from the CPU to the device."""
    on_device = options.on("fused") if fused else False
    return [SCALAR] * count if on_device or options.on("capturable") else []


def adam(options: Options, weight: Weight) -> list[int]:
    """torch/optim/adam.py: exp_avg, exp_avg_sq, max_exp_avg_sq with amsgrad."""
    return [weight.size] * (3 if options.on("amsgrad") else 2) + counters(options, fused=True)


def two_moments(options: Options, weight: Weight) -> list[int]:
    """torch/optim/adamax.py, radam.py, adadelta.py and rprop.py: two tensors like the weight."""
    return [weight.size] * 2 + counters(options)


def nadam(options: Options, weight: Weight) -> list[int]:
    """torch/optim/nadam.py: exp_avg, exp_avg_sq; step and mu_product are scalars."""
    return [weight.size] * 2 + counters(options, 2)


def rmsprop(options: Options, weight: Weight) -> list[int]:
    """torch/optim/rmsprop.py: square_avg, momentum_buffer with momentum, grad_avg when centered."""
    count = 1 + (options.number("momentum", 0) > 0) + options.on("centered")
    return [weight.size] * count + counters(options)


def adagrad(options: Options, weight: Weight) -> list[int]:
    """torch/optim/adagrad.py: sum, made by the constructor; the step is on the device only when fused."""
    return [weight.size] + ([SCALAR] if options.on("fused") else [])


def asgd(options: Options, weight: Weight) -> list[int]:
    """torch/optim/asgd.py: ax; step, eta and mu are always on the device of the weight."""
    return [weight.size] + [SCALAR] * 3


def adafactor(options: Options, weight: Weight) -> list[int]:
    """torch/optim/_adafactor.py: row_var and col_var over the last two axes, variance of the size of a vector."""
    if len(weight.shape) < 2:
        return [weight.size]
    return factors(weight, len(weight.shape) - 2, len(weight.shape) - 1, weight.itemsize)


def factors(weight: Weight, rows: int, columns: int, itemsize: int) -> list[int]:
    """Bytes of the two statistics that keep one of the axes `rows` and `columns` and sum over the other."""

    def without(axis: int) -> int:
        return Weight(weight.shape[:axis] + weight.shape[axis + 1 :], itemsize).size

    return [without(columns), without(rows)]


def muon(options: Options, weight: Weight) -> list[int]:
    """torch/optim/_muon.py: momentum_buffer; weights that are not matrices are refused by the constructor."""
    if len(weight.shape) != 2:
        raise Unclear("Muon trains matrices")
    return [weight.size]


def lbfgs(options: Options, weight: Weight) -> list[int]:
    """torch/optim/lbfgs.py: the share of the weight in the flat tensors once the history is full.

    d and prev_flat_grad, and `history_size` pairs of old_dirs and old_stps. One step makes up to `max_iter` - 1 pairs,
    so a history of 100 is full after six steps of 20 iterations.
    """
    return [weight.size] * (2 + 2 * int(options.number("history_size", 100)))


# ---- Adafactor elsewhere


def last_axes_adafactor(options: Options, weight: Weight, itemsize: int) -> list[int]:
    """Factors over the last two axes, a whole second moment for vectors, a first moment with `beta1`, and RMS."""
    whole = weight.elements * itemsize
    last = len(weight.shape) - 1
    second = factors(weight, last - 1, last, itemsize) if len(weight.shape) >= 2 else [whole]
    first = [whole] if options.value("beta1") is not None else []
    return [*first, *second, itemsize]


def transformers_adafactor(options: Options, weight: Weight) -> list[int]:
    """transformers/optimization.py: gradients of half precision are converted to float32, and the state with them."""
    return last_axes_adafactor(options, weight, max(FLOAT32, weight.itemsize))


def torch_optimizer_adafactor(options: Options, weight: Weight) -> list[int]:
    """torch_optimizer/adafactor.py: everything in the dtype of the gradient."""
    return last_axes_adafactor(options, weight, weight.itemsize)


def timm_adafactor(options: Options, weight: Weight) -> list[int]:
    """timm/optim/adafactor.py (1.0): factored where both axes are longer than `min_dim_size_to_factor`."""
    least = options.number("min_dim_size_to_factor", 16)
    shape = weight.shape
    last = len(shape) - 1
    itemsize = max(FLOAT32, weight.itemsize)
    whole = weight.elements * itemsize
    if len(shape) > 2 and shape[0] > least and shape[1] > least:
        second = factors(weight, 0, 1, itemsize)
    elif len(shape) >= 2 and shape[-2] > least and shape[-1] > least:
        second = factors(weight, last - 1, last, itemsize)
    else:
        second = [whole]
    first = [whole] if options.value("betas") is not None else []
    return [*first, *second, itemsize]


# ---- bitsandbytes/optim/optimizer.py

BLOCK = 256
PAGED_FROM = 100_000
QUANTILES = 256 * FLOAT32


def eight_bit(tensors: tuple[int, ...], bits: int | None = None, *, paged: bool | None = None) -> State:
    """States of bitsandbytes, each `tensors[i]` times the size of the weight.

    Eight bits: a byte an element and a float32 maximum for each block of 256. Tensors below `min_8bit_size` keep 32
    bits. `bits` and `paged` are fixed by the class where they are given. Paged states of 100 000 elements and more live
    in unified memory, which moves between host and device: unknown.
    """

    def state(options: Options, weight: Weight) -> list[int]:
        elements = weight.elements
        is_paged = options.on("is_paged") if paged is None else paged
        if is_paged and elements >= PAGED_FROM:
            raise Unclear("paged")
        small = [FLOAT32 * 100] if options.number("percentile_clipping", 100) < 100 else []
        small += [FLOAT32] if options.number("max_unorm", 0) > 0 else []
        if not in_eight_bits(options, weight, bits):
            return [FLOAT32 * elements * count for count in tensors] + small
        if not options.on("block_wise", True):
            return [elements * count for count in tensors] + [FLOAT32] * (2 * len(tensors)) + small
        blocks = -(-elements // BLOCK)
        return [elements * count for count in tensors] + [FLOAT32 * blocks * count for count in tensors] + small

    return state


def in_eight_bits(options: Options, weight: Weight, bits: int | None) -> bool:
    """Whether the state of this weight is quantised."""
    chosen = options.number("optim_bits", 32) if bits is None else bits
    if chosen not in (8, 32):
        raise Unclear("optim_bits")
    return chosen == 8 and weight.elements >= options.number("min_8bit_size", 4096)


BITSANDBYTES: dict[str, tuple[int, ...]] = {
    "Adam": (1, 1),
    "AdamW": (1, 1),
    "AdEMAMix": (2, 1),
    "LAMB": (1, 1),
    "Lion": (1,),
    "LARS": (1,),
    "SGD": (1,),
    "RMSprop": (1,),
    "Adagrad": (1,),
}


def bitsandbytes_class(name: str) -> tuple[tuple[int, ...], int | None, bool | None] | None:
    """Relative sizes of the states, fixed bits and whether paged, of a class such as `PagedAdamW8bit`."""
    paged = True if name.startswith("Paged") else None
    bare = name.removeprefix("Paged")
    bits = 8 if bare.endswith("8bit") else 32 if bare.endswith("32bit") else None
    tensors = BITSANDBYTES.get(bare.removesuffix("8bit").removesuffix("32bit"))
    return None if tensors is None else (tensors, bits, paged)


# ---- the others


def aggmo(options: Options, weight: Weight) -> list[int]:
    """torch_optimizer/aggmo.py: a momentum for each beta."""
    betas = options.value("betas", (0.0, 0.9, 0.99))
    if not isinstance(betas, (tuple, list)):
        raise Unclear("betas")
    return [weight.size] * len(set(betas))


def lamb_with_norms(options: Options, weight: Weight) -> list[int]:
    """torch_optimizer/lamb.py: exp_avg, exp_avg_sq and three scalars kept for looking at."""
    return [weight.size] * 2 + [weight.itemsize] * 3


def novograd(options: Options, weight: Weight) -> list[int]:
    """torch_optimizer/novograd.py, timm/optim/nvnovograd.py: exp_avg, and float32 scalars for the second moment."""
    return [weight.size] + [SCALAR] * (2 if options.on("amsgrad") else 1)


def apex_adam(options: Options, weight: Weight) -> list[int]:
    """apex/optimizers/fused_adam.py: both moments in float32, whatever the weight is."""
    if options.on("capturable") or options.on("master_weights") or options.on("use_master"):
        raise Unclear("capturable")
    return [weight.elements * FLOAT32] * 2


def torch_sgd(options: Options, weight: Weight) -> list[int]:
    """torch/optim/sgd.py: momentum_buffer with momentum."""
    return [weight.size] if options.number("momentum", 0) != 0 else []


TORCH: dict[str, State] = {
    "SGD": torch_sgd,
    "Adam": adam,
    "AdamW": adam,
    "Adamax": two_moments,
    "RAdam": two_moments,
    "Adadelta": two_moments,
    "Rprop": two_moments,
    "NAdam": nadam,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "ASGD": asgd,
    "Adafactor": adafactor,
    "Muon": muon,
    "LBFGS": lbfgs,
    "SparseAdam": copies(2),
}

OTHERS: dict[str, dict[str, State]] = {
    "torch": TORCH,
    # lion_pytorch/lion_pytorch.py
    "lion_pytorch": {"Lion": copies(1)},
    "transformers": {"Adafactor": transformers_adafactor, "AdamW": copies(2)},
    # apex/optimizers/fused_lamb.py, fused_sgd.py (its momentum is made whether it is used or not)
    "apex": {"FusedAdam": apex_adam, "FusedLAMB": copies(2), "FusedSGD": copies(1)},
    # deepspeed/ops/adam/fused_adam.py
    "deepspeed": {"FusedAdam": copies(2)},
    # schedulefree/adamw_schedulefree.py and sgd_schedulefree.py: z, and exp_avg_sq
    "schedulefree": {"AdamWScheduleFree": copies(2), "SGDScheduleFree": copies(1)},
    # timm/optim/*.py (1.0)
    "timm": {
        "Adafactor": timm_adafactor,
        "AdamP": copies(2),
        "Adan": copies(4),
        "Lamb": copies(2),
        "Lars": copies(0, when="momentum"),
        "Lion": copies(1),
        "MADGRAD": copies(2, default=0.9, when="momentum"),
        "Mars": copies(3),
        "NvNovoGrad": novograd,
        "RMSpropTF": lambda options, weight: (
            [weight.size] * (1 + (options.number("momentum", 0) > 0) + options.on("centered"))
        ),
        "SGDP": copies(1),
    },
    # torch_optimizer/*.py (0.3); SWATS is left out: the data decides when it starts to keep a momentum
    "torch_optimizer": {
        "AccSGD": copies(1),
        "AdaBelief": copies(2, when="amsgrad"),
        "AdaBound": copies(2, when="amsbound"),
        "AdaMod": copies(3),
        "Adafactor": torch_optimizer_adafactor,
        "AdamP": copies(2),
        "AggMo": aggmo,
        "Apollo": copies(3),
        "DiffGrad": copies(3),
        "Lamb": lamb_with_norms,
        "LARS": copies(0, when="momentum"),
        "Lion": copies(1),
        "MADGRAD": copies(2, default=0.9, when="momentum"),
        "NovoGrad": novograd,
        "QHAdam": copies(2),
        "QHM": copies(1),
        "RAdam": float32_copies(2),
        "SGDP": copies(1),
        "SGDW": copies(0, when="momentum"),
        "Yogi": copies(2),
    },
}


def of(library: str, name: str) -> State | None:
    """How to compute the state of the optimizer class `name`, None where the optimizer is not known."""
    if library == "bitsandbytes":
        described = bitsandbytes_class(name)
        return None if described is None else eight_bit(described[0], described[1], paged=described[2])
    return OTHERS.get(library, {}).get(name)


def shared(library: str, name: str, options: Options, weights: Sequence[Weight]) -> list[int]:
    """What an optimizer of the tables keeps once: quantile maps of bitsandbytes, scalars of the history of LBFGS."""
    if library == "bitsandbytes":
        described = bitsandbytes_class(name)
        if described is None or not any(in_eight_bits(options, weight, described[1]) for weight in weights):
            return []
        return [QUANTILES] * len(described[0])
    if (library, name) == ("torch", "LBFGS") and weights:
        # ro and al hold a scalar for each pair of the history, H_diag one
        return [weights[0].itemsize] * (2 * int(options.number("history_size", 100)) + 1)
    return []
