"""A module as a table: its layers, what each gives, how many parameters it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.modules import container, partial_children
from trainlint.analysis.notation import Letters, amount, called, signature
from trainlint.analysis.parameters import Holdings
from trainlint.analysis.values import Const, Instance, Obj, OneOf, Seq, Unknown, Value, is_none
from trainlint.analysis.watching import Watch

MAX_DEPTH = 12


@dataclass(slots=True)
class Layer:
    """One layer of the tree: `name` as in `named_children` (`0–3` for equal ones in a row)."""

    name: str
    kind: str
    output: str
    parameters: str
    depth: int
    below: list[Layer] = field(default_factory=list)


class Outline:
    """The tree of one module, from its parameters and buffers, which are counted once for all levels."""

    def __init__(self, value: Value, held: Holdings, watch: Watch | None, letters: Letters) -> None:
        self.value, self.watch, self.letters = value, watch, letters
        # by the dotted name of a module: the number of parameters in it, and what tells it from others
        self.counts: dict[str, Value] = {}
        self.looks: dict[str, list[tuple[str, object]]] = {}
        self.unknown: set[str] = set()
        for tensor in held.tensors:
            look = tuple(size.value if isinstance(size, Const) else dims.text(size) for size in tensor.shape or ())
            for prefix in prefixes(tensor.name):
                self.looks.setdefault(prefix, []).append((tensor.name[len(prefix) :], look))
                if not tensor.buffer and not isinstance(tensor.count, Unknown):
                    self.counts[prefix] = plus(self.counts.get(prefix), tensor.count)
        for name in held.unknown:
            self.unknown.update((name, *prefixes(name)))
        self.seen = {id(value)}

    def layers(self) -> list[Layer]:
        """The children with theirs below them; a module that comes up twice is told of once."""
        return self._children(self.value, "", 0)

    def _children(self, value: Value, prefix: str, depth: int) -> list[Layer]:
        if depth > MAX_DEPTH:
            return []
        result: list[Layer] = []
        for alike in self._alike(partial_children(value), prefix):
            (name, child), *others = alike
            path = f"{prefix}.{name}" if prefix else name
            kind = kind_of(child)
            output = output_of(alike[-1][1], self.watch, self.letters)
            layer = Layer(name, kind, output, self._number(path, len(alike)), depth)
            if others:
                layer.name, layer.kind = f"{name}–{others[-1][0]}", f"{len(alike)} × {kind}"
            if id(child) in self.seen:
                layer.kind += " (again)"
            else:
                self.seen.update(id(c) for _, c in alike)
                layer.below = self._children(child, path, depth + 1)
            result.append(layer)
        return result

    def _alike(self, found: dict[str, Value], prefix: str) -> list[list[tuple[str, Value]]]:
        """Numbered children in a row that are built alike, together; every other one alone."""
        runs: list[list[tuple[str, Value]]] = []
        last: object = None
        for name, child in found.items():
            look = self._likeness(child, f"{prefix}.{name}" if prefix else name) if name.isdigit() else None
            if runs and look is not None and look == last and child is not runs[-1][-1][1]:
                runs[-1].append((name, child))
            else:
                runs.append([(name, child)])
            last = look
        return [part for run in runs for part in ([run] if len(run) > 2 else [[item] for item in run])]

    def _likeness(self, value: Value, path: str) -> object:
        """Equal for modules of one class that hold equal tensors; None for plain layers."""
        if isinstance(value, Obj) and not partial_children(value):
            return None
        return kind_of(value), self.looks.get(path), path in self.unknown

    def _number(self, path: str, times: int) -> str:
        """The parameters of so many modules; `≥` where there may be others."""
        count = self.counts.get(path, Const(0))
        if times > 1:
            count = dims.mul(count, Const(times))
        if path in self.unknown:
            return "?" if is_zero(count) else f"≥ {amount(count)}"
        return "" if is_zero(count) else amount(count)


def prefixes(name: str) -> Iterator[str]:
    """The dotted names around a name: `a.b` and `a` for `a.b.c`."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def plus(a: Value | None, b: Value) -> Value:
    if a is None:
        return b
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value + b.value, None, a.default or b.default)
    return dims.add(a, b)


def is_zero(count: Value) -> bool:
    return isinstance(count, Const) and count.value == 0


def kind_of(value: Value) -> str:
    """`Conv2d(3, 64, 7)`, `Block`, `Conv2d | Identity`."""
    if isinstance(value, Obj):
        return called(value) if container(value) is None else value.name.rpartition(".")[2]
    if isinstance(value, Instance):
        return called(value.factory) if value.factory is not None else value.cls.name
    if isinstance(value, OneOf):
        return " | ".join(dict.fromkeys("None" if is_none(v) else kind_of(v) for v in value.values))
    return "?"


def output_of(module: Value, watch: Watch | None, letters: Letters) -> str:
    """The sizes of what calling the module gave, in the notation of jaxtyping; empty where it was not called."""
    options = module.values if isinstance(module, OneOf) else (module,)
    results = [r for r in (watch.output(option) for option in options) if r is not None] if watch is not None else []
    return output_text(results[0], letters) if results else ""


def output_text(value: Value, letters: Letters) -> str:
    if isinstance(value, Seq) and value.items:
        parts = [output_text(item, letters) for item in value.items]
        return ", ".join(part for part in parts if part)
    if not isinstance(value, Array):
        return ""
    text = signature(value, letters)
    return text.partition('"')[2].rpartition('"')[0] if '"' in text else ""


def flat(tree: list[Layer], most: int) -> list[Layer]:
    """The layers in order, as many levels as fit into `most` rows; at least the first."""
    level, rows = 0, list(tree)
    while True:
        deeper = _down(tree, level + 1)
        if len(deeper) > most or len(deeper) == len(rows):
            return rows
        level, rows = level + 1, deeper


def _down(tree: list[Layer], levels: int) -> list[Layer]:
    result: list[Layer] = []
    for layer in tree:
        result.append(layer)
        if levels:
            result += _down(layer.below, levels - 1)
    return result
