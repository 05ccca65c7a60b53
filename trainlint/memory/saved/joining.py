"""Joining, splitting and repeating."""

from __future__ import annotations

from trainlint.memory.saved.site import Effect, Site, rule


@rule("cat", "stack", "block_diag", "dstack", "column_stack")
def cat(site: Site) -> Effect:
    """The gradients of the parts are views of the whole's."""
    return Effect("new", passes=tuple(range(len(site.operands))))


@rule("split", "chunk", "unbind", "split_with_sizes", "tensor_split", "hsplit", "vsplit", "meshgrid")
def split(site: Site) -> Effect:
    """Views; their gradients are joined in a new tensor."""
    return Effect("view")


@rule("repeat", "repeat_interleave", "tile", "flip", "fliplr", "flipud", "roll", "rot90", "tril", "triu", "diag_embed")
def rearranged(site: Site) -> Effect:
    return Effect(site.output)


@rule("pad_sequence")
def padded(site: Site) -> Effect:
    """The gradients of the parts are slices that are copied out of the whole's."""
    return Effect("new")
