"""Which tensors of a program lie on the GPU: what is moved there, made there, or computed from what lies there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trainlint.analysis.arrays import Array
from trainlint.analysis.tape import Entry, Site

# what moves a tensor; of these, a cast moves nothing
MOVES = frozenset({"Tensor.to", "Tensor.cuda", "Tensor.type"})
HOST = "cpu"


class Placing:
    """Tensors on the GPU by identity, each with the operation that put it there.

    `everything`: of a program that names no device, as in a framework that moves batches itself, all tensors.
    """

    def __init__(self, entries: Sequence[Entry], weighs: Callable[[Site], bool], everything: bool) -> None:
        sites = [entry for entry in entries if isinstance(entry, Site)]
        self.everything = everything or not any(named(site) for site in sites)
        self.made: dict[int, Site] = {}
        for site in sites:
            if self.everything or self._there(site, weighs):
                self.made.update((id(array), site) for array in site.results)

    def _there(self, site: Site, weighs: Callable[[Site], bool]) -> bool:
        devices = {array.device for array in site.results}
        if site.op in ("Tensor.cpu", "Tensor.to", "Tensor.type") and devices == {HOST}:
            return False
        if any(self.on(array) for array in site.operands) or weighs(site):
            return True
        return any(device not in (None, HOST) for device in devices) or (site.op == "Tensor.cuda")

    def on(self, array: Array) -> bool:
        """Does a tensor lie on the GPU? A parameter does, and so does the gradient of one."""
        return id(array) in self.made or array.source is not None or (self.everything and array.lib == "torch")


def named(site: Site) -> bool:
    """Does an operation name a device?"""
    return site.op == "Tensor.cuda" or any(array.device not in (None, HOST) for array in site.results)
