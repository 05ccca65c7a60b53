"""Automatic mixed precision: the casts that autocast makes, and the dtypes that follow from them.

A pass over the tape. The interpreter computes dtypes as if autocast were not there; here operations on the lists of
autocast get operands of the dtype they run in, with a cast before them where need be, and the dtypes flow on from
there (`Sizes.dtypes`). The copy of a trained weight is made once and kept until the outermost context is left; any
other cast is made anew for each use (`cached_cast` in torch's autocast_mode.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trainlint.analysis.arrays import Array
from trainlint.analysis.autocast import Autocast
from trainlint.analysis.tape import Entry, Live, Mark, Returned, Round, Settled, Site
from trainlint.analysis.values import Ext, Value
from trainlint.memory.autocast_lists import COPIED_BFLOAT16, POLICIES, Policy
from trainlint.memory.book import Book, Tensor
from trainlint.memory.saved.names import normal
from trainlint.memory.sizes import FLOATS, Sizes

CAST = "Tensor.type"
# layers whose inside runs in half precision but for what stands here
KEPT_SINGLE = ("norm1.", "norm2.", "norm3.")
SEVERAL = frozenset({"multihead_attention", "transformer_encoder_layer", "lstm", "gru", "rnn"})


def lowered(entries: Sequence[Entry], book: Book, sizes: Sizes, everywhere: Autocast | None = None) -> Sequence[Entry]:
    """The entries with the casts of autocast between them. Tells `sizes` of the dtypes that are others than recorded.

    With `everywhere` the step is run under that context although the program does not ask for it.
    """
    if everywhere is None and not any(isinstance(entry, Site) and entry.autocast is not None for entry in entries):
        return entries
    return _Pass(book, sizes, everywhere).run(entries)


def doubt(site: Site) -> str:
    """What is not known of the precision of an operation; empty where all is."""
    autocast = site.autocast
    if autocast is None or autocast.on is False:
        return ""
    if autocast.on is None:
        return "whether automatic mixed precision is on is not known"
    if autocast.device == "cpu":
        return "automatic mixed precision of the CPU is not counted"
    return "" if autocast.dtype is not None else "the dtype of automatic mixed precision is not known"


def kept_casts(site: Site, weight: bool) -> list[Array]:
    """The copies of parameters that backward needs: that of the weight, where it does, and never those of biases.

    A layer that consists of several needs them all.
    """
    several = normal(site.op)[0] in SEVERAL
    return [array for array in site.casts if (weight or several) and len(array.shape or ()) > 1]


class _Pass:
    """One pass over the entries of a step."""

    def __init__(self, book: Book, sizes: Sizes, everywhere: Autocast | None) -> None:
        self.book = book
        self.sizes = sizes
        self.everywhere = everywhere
        self.entries: list[Entry] = []
        self.region = -1
        # the operation in progress, and whether it stands for several
        self.whole: Site | None = None
        self.cut = False
        # the copies of weights that the context in force keeps
        self.copies: dict[int, Array] = {}

    def run(self, entries: Sequence[Entry]) -> list[Entry]:
        for entry in entries:
            if isinstance(entry, (Returned, Round, Settled)):
                self.entries.append(entry)
                continue
            autocast = self.context(entry)
            if autocast is None or autocast.region != self.region:
                self.region = autocast.region if autocast is not None else -1
                self.copies = {}
            if isinstance(entry, Site):
                self.site(entry, autocast)
            else:
                self.entries.append(replace(entry, live=self.live(entry.live)))
        return self.entries

    def context(self, entry: Site | Mark) -> Autocast | None:
        if self.everywhere is None or entry.autocast is not None:
            return entry.autocast
        return self.everywhere if isinstance(entry, Site) and entry.grad else None

    def live(self, live: Live) -> Live:
        """What is held at an entry, the copies of weights included."""
        held: Live = {(-self.region, "autocast"): tuple(self.copies.values())} if self.copies else {}
        return {**live, **held}

    def add(self, site: Site) -> None:
        live = self.live(site.live)
        if self.whole is not None and (self.cut or site.op != self.whole.op):
            # what the operation was given lives until it is over, not until it is cast
            self.cut = True
            live[-self.region, "(operands)"] = self.whole.operands
        self.entries.append(replace(site, live=live, whole=self.whole))

    def site(self, site: Site, autocast: Autocast | None) -> None:
        """An operation with the casts before it."""
        name, layer, inplace, _ = normal(site.op)
        self.whole, self.cut = site, False
        active = autocast is not None and autocast.on is not False and autocast.device != "cpu"
        policy = POLICIES.get(name) if active and not inplace else None
        half = (autocast.dtype if autocast is not None else None) or "float16"
        if policy == "lower" and half == "float32":
            policy = None
        if active and name == "cross_entropy" and self.halved(site):
            self.cross_entropy(site)
            return
        if active and name == "transformer_encoder_layer":
            # its norms and sums are float32
            site = replace(site, casts=self.weights(site, half, autocast))
        elif policy is not None and autocast is not None:
            site = self.cast(site, name, policy, half, autocast)
        self.add(site)
        self.flow(site, name, policy, half, layer, inplace)

    def halved(self, site: Site) -> bool:
        return bool(site.operands) and self.sizes.dtype(site.operands[0]) in ("float16", "bfloat16")

    def cast(self, site: Site, name: str, policy: Policy, half: str, autocast: Autocast) -> Site:
        """The operation with operands of the dtype it runs in."""
        if policy == "accumulate":
            if "dtype" in site.named or name not in COPIED_BFLOAT16 or half != "bfloat16":
                return site
            target = "float32"
        else:
            target = self.target(site, policy, half)
        cast: dict[int, Array] = {}
        for array in site.operands:
            # only those that it computes with: a mask of an attention layer is added to the products
            if id(array) not in cast and self.sizes.dtype(array) in FLOATS and self.sizes.dtype(array) != target:
                cast[id(array)] = self.copy(site, array, target, autocast)
        casts = self.weights(site, target, autocast) if policy == "lower" else ()
        positional: list[Value] = [cast.get(id(value), value) for value in site.positional]
        operands = tuple(cast.get(id(array), array) for array in site.operands)
        return replace(site, operands=operands, positional=positional, casts=casts)

    def target(self, site: Site, policy: Policy, half: str) -> str:
        if policy == "lower":
            return half
        if policy == "single":
            return "float32"
        dtypes = {self.sizes.dtype(array) for array in site.operands}
        return "float32" if "float32" in dtypes or self.book.of_layer(site.layer) else half

    def copy(self, site: Site, array: Array, dtype: str, autocast: Autocast) -> Array:
        """A cast of one operand."""
        tensor = self.book.of_value(array)
        if tensor is not None:
            return self.weight(site, tensor, array, dtype, autocast)
        made = self.fresh(array, dtype)
        self.add(replace(site, op=CAST, operands=(array,), results=(made,), positional=[], named={}, layer=None))
        return made

    def fresh(self, array: Array, dtype: str) -> Array:
        made = array.but(dtype=dtype)
        self.sizes.dtypes[id(made)] = dtype
        return made

    def weights(self, site: Site, dtype: str, autocast: Autocast | None) -> tuple[Array, ...]:
        """The casts of the parameters of a layer, in their order."""
        if autocast is None:
            return ()
        return tuple(
            self.weight(site, tensor, self.book.as_value(tensor), dtype, autocast)
            for tensor in self.book.of_layer(site.layer)
            if not tensor.buffer and tensor.weight.itemsize == 4 and not tensor.name.startswith(KEPT_SINGLE)
        )

    def weight(self, site: Site, tensor: Tensor, array: Array, dtype: str, autocast: Autocast) -> Array:
        """The cast of a parameter; that of a trained one is kept by the context."""
        keeps = autocast.caches and tensor.trained and dtype == autocast.dtype and site.grad
        key = hash((tensor.key, dtype))
        if keeps and key in self.copies:
            return self.copies[key]
        made = self.fresh(array, dtype)
        made.grad = site.grad and tensor.trained
        if keeps:
            self.copies[key] = made
        self.add(replace(site, op=CAST, operands=(array,), results=(made,), positional=[], named={}, layer=None))
        return made

    def cross_entropy(self, site: Site) -> None:
        """The logarithms are computed in half precision and cast for the loss.

        `cross_entropy_loss` is on no list and asks `log_softmax` for the dtype of the logits (ATen/native/LossNLL.cpp),
        and `nll_loss` is computed in float32.
        """
        logits, *others = site.operands
        plain = replace(site, layer=None, named={}, positional=[logits])
        logs = self.fresh(logits, self.sizes.dtype(logits))
        self.add(replace(plain, op="torch.log_softmax", operands=(logits,), results=(logs,)))
        if others and self.sizes.dtype(others[0]) in FLOATS:
            product = self.fresh(others[0], "float32")
            product.grad = logs.grad
            self.add(replace(plain, op="operator.*", operands=(logs, others[0]), results=(product,), positional=[logs]))
            self.add(replace(plain, op="torch.sum", operands=(product,), positional=[product]))
        else:
            wide = self.fresh(logits, "float32")
            self.add(replace(plain, op=CAST, operands=(logs,), results=(wide,)))
            self.add(replace(site, op="torch.nn.functional.nll_loss", layer=None, operands=(wide, *others)))
        self.sizes.dtypes.update((id(result), "float32") for result in site.results)

    def flow(self, site: Site, name: str, policy: Policy | None, half: str, layer: bool, inplace: bool) -> None:
        """The dtypes of the results."""
        for result in site.results:
            if (result.dtype or "float32") not in FLOATS:
                continue
            dtype = self.dtype(site, name, policy, half, result, layer, inplace)
            if dtype != self.sizes.dtype(result):
                self.sizes.dtypes[id(result)] = dtype

    def dtype(
        self, site: Site, name: str, policy: Policy | None, half: str, result: Array, layer: bool, inplace: bool
    ) -> str:
        recorded = result.dtype or "float32"
        if policy == "lower":
            # the weights of an attention layer are averaged as they come out of the softmax
            return "float32" if name == "multihead_attention" and result is not site.results[0] else half
        if policy == "single" or (policy == "accumulate" and "dtype" not in site.named):
            return "float32"
        floating = [array for array in site.operands if self.sizes.dtype(array) in FLOATS]
        if not floating or "dtype" in site.named:
            return recorded
        first = self.sizes.dtype(floating[0])
        if name == "to":
            return self.moved(site, recorded)
        if layer or inplace:
            return first
        # tensors without axes decide only among themselves
        wide = [array for array in floating if array.shape != ()] or floating
        dtypes = {self.sizes.dtype(array) for array in wide}
        return dtypes.pop() if len(dtypes) == 1 else "float64" if "float64" in dtypes else "float32"

    def moved(self, site: Site, recorded: str) -> str:
        """What `x.to(…)` and its kin give: the dtype that is named, that of another tensor, or that of `x`."""
        source = site.operands[0]
        other = next((value for value in site.positional if isinstance(value, Array) and value is not source), None)
        if other is not None:
            return self.sizes.dtype(other)
        moves = site.op.rpartition(".")[2] in ("to", "cuda", "cpu")
        named = any(isinstance(value, Ext) and value.name.startswith("torch.") for value in site.positional)
        return self.sizes.dtype(source) if moves and not named else recorded
