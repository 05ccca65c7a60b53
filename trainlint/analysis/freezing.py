"""Which parameters are trained: where `requires_grad` is set for a whole module, in a loop or by `requires_grad_`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainlint.analysis.dormant import dormant
from trainlint.analysis.listing import existing
from trainlint.analysis.modules import walk
from trainlint.analysis.parameters import Held
from trainlint.analysis.values import Const, Instance, Obj, Seq, Unknown, Value

if TYPE_CHECKING:
    from trainlint.analysis.files import File
    from trainlint.analysis.program import Program
    from trainlint.analysis.watching import Freeze

# a place that may stop parameters from being trained; what is copied from another parameter was set elsewhere
_COPIED = r"[\w.]+\.requires_grad\s*(?:\)|$)"
_WRITE = re.compile(
    rf"\.requires_grad(?:\s*=(?!=)\s*(?!True\b|{_COPIED})|_\(\s*(?!\)|True\b|{_COPIED}))|\.freeze\w*\(", re.MULTILINE
)


class Training:
    """Answers which parameters of a watched program are trained when it has run."""

    def __init__(self, program: Program) -> None:
        freezes = program.watch.freezes if program.watch is not None else []
        self._applied = [(f, state) for f in freezes if (state := state_of(f)) is not True]
        sites = doubts(program)
        # something else than a whole module is frozen, or a module that is not known
        understood = {id(f.node) for f, _ in self._applied} | (program.watch.frozen if program.watch else set())
        self._doubtful = sites > len(understood)
        self._thawed = [f for f in freezes if f.value is not None and state_of(f) is True]
        self._below: dict[int, set[int]] = {}

    def trained(self, held: Held) -> bool | None:
        """Does the optimizer change this parameter? None where it is not known."""
        part = existing(held)
        if part is not None and (own := part.attrs.get("requires_grad")) is not None:
            return bool(own.value) if isinstance(own, Const) else None
        if held.trainable is not True:
            return held.trainable
        answer: bool | None = None if self._doubtful else True
        born = birth(held.owner)
        for freeze in sorted([f for f, _ in self._applied] + self._thawed, key=lambda f: f.at):
            if born <= freeze.at and id(held.owner) in self._modules(freeze.module):
                answer = state_of(freeze)
        return answer

    def _modules(self, module: Value) -> set[int]:
        found = self._below.get(id(module))
        if found is None:
            found = self._below[id(module)] = {id(part) for _, part in walk(module, depth=40)}
        return found


def doubts(program: Program) -> int:
    """How many places of the program may stop parameters from being trained."""
    skipped = program.watch.skipped if program.watch is not None else set()
    files = program.files.values()
    if any(True for file in files for _ in writes(program, file, skipped)):
        skipped = skipped | dormant(program)
    return sum(1 for file in files for _ in writes(program, file, skipped))


def writes(program: Program, file: File, skipped: set[tuple[str, int, int]]) -> Iterator[int]:
    """The lines of a file that set `requires_grad`, but for those in the lines that are skipped."""
    text = file.document.text
    watch = program.watch
    used = {f.node.stmt.first_line for f in watch.freezes} if watch is not None else set()
    for match in _WRITE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        inside = any(path == file.path and first <= line <= last for path, first, last in skipped)
        if line in used or not inside:
            yield line


def state_of(freeze: Freeze) -> bool | None:
    """What `requires_grad` was set to, True where a listing of parameters was used for something else."""
    value = freeze.value
    if freeze.listing is not None:
        element = freeze.listing.attrs.get("element")
        if isinstance(element, Seq) and element.items is not None:
            element = element.items[-1]
        value = element.attrs.get("requires_grad") if isinstance(element, Unknown) and element.attrs else Const(True)
    return bool(value.value) if isinstance(value, Const) else None


def birth(module: Value) -> int:
    """When the program made a module."""
    return module.born if isinstance(module, Obj) else module.depth if isinstance(module, Instance) else 0
