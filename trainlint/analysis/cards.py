"""What there is to say about a value: a headline, notes, a table, the way it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainlint.analysis import dims, registry
from trainlint.analysis.facts import DataLoader
from trainlint.analysis.freezing import Training
from trainlint.analysis.modules import is_module, walk
from trainlint.analysis.notation import Letters, amount, called, code, mebibytes, short, source_of, words
from trainlint.analysis.outline import Outline, flat, kind_of, output_of
from trainlint.analysis.parameters import SIZES, Held, Holdings, total
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Seq, Step, Unknown, Value, alternatives
from trainlint.analysis.watching import Sighting

if TYPE_CHECKING:
    from trainlint.analysis.program import Program

MOST_STEPS = 8
MOST_NOTES = 6
MOST_TENSORS = 16


@dataclass(slots=True)
class Card:
    """`head` and `notes` are inline Markdown; `rows` are plain cells under `header`; `steps` are (line, text)."""

    head: str
    notes: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)


class Cards:
    """Makes cards about values of one watched program. `rows` is how many rows a table may have."""

    def __init__(self, program: Program, rows: int = 24) -> None:
        self.program = program
        self.rows = rows

    def card(self, sighting: Sighting) -> Card:
        """The card of a value as it was seen."""
        value = sighting.value
        if isinstance(value, Obj) and value.kind in self._TABLE:
            result = self._TABLE[value.kind](self, value)
        elif is_module(value):
            result = self.module(value, sighting)
        else:
            letters = Letters()
            result = Card(words(value, letters))
            result.notes = self.contents(value, letters) + letters.notes()
        result.steps = self.steps(value)
        if isinstance(value, Const) and value.default:
            result.notes.append(f"a default of {code(value.default.replace('`', ''))}: it may be overridden")
        return result

    def contents(self, value: Value, letters: Letters) -> list[str]:
        """What a list, tuple or dict holds, where that is worth a line each."""
        if isinstance(value, Seq) and value.items is not None:
            if all(isinstance(item, Const) for item in value.items):
                return []
            return [f"{at}: {words(item, letters)}" for at, item in enumerate(value.items[:MOST_NOTES])]
        if isinstance(value, Mapping):
            return [f"{code(str(k))}: {words(v, letters)}" for k, v in list(value.items.items())[:MOST_NOTES]]
        return []

    def steps(self, value: Value) -> list[tuple[str, str]]:
        """Where the value came from, oldest first, as the rules tell it."""
        origin: Step | None = value.origin
        found = [s for s in origin if s.text not in ("display", "dict")] if origin is not None else []
        if isinstance(value, (Obj, Instance)) or (found and isinstance(value, Const) and len(found) == 1):
            found = found[:1]
        result: list[tuple[str, str]] = []
        for step in reversed(found[:MOST_STEPS]):
            text = "written" if step.text == "literal" else step.text
            text = "built" if isinstance(value, (Obj, Instance)) and value.origin is step else text
            line = (self.where(step), text)
            if line not in result:
                result.append(line)
        return result

    def where(self, step: Step) -> str:
        """`line 12`, with the file where that is another one."""
        place = step.place
        other = place.path != self.program.file.path
        return f"{place.path.rpartition('/')[2]}, line {place.line}" if other else f"line {place.line}"

    # modules

    def module(self, value: Value, sighting: Sighting) -> Card:
        """Class, parameters, mode and the table of layers."""
        letters, held = Letters(), self.holdings(value)
        parts = [code(kind_of(value)), *self.parameters(held)]
        mode = self.mode(value, sighting)
        if mode:
            parts.append(mode)
        card = Card(" · ".join(parts))
        output = output_of(value, self.program.watch, letters)
        if output:
            card.notes.append(f"gives {code(chr(34) + output + chr(34))}")
        tree = Outline(value, held, self.program.watch, letters).layers()
        if tree:
            card.header = ("layer", "type", "output", "parameters")
            card.rows = [("  " * r.depth + r.name, r.kind, r.output, r.parameters) for r in flat(tree, self.rows)]
        else:
            shown = [h for h in held.tensors if h.shape is not None]
            card.header = ("parameter", "shape", "dtype", "number") if shown else ()
            card.rows = [tensor_row(h) for h in shown[:MOST_TENSORS]]
            if len(shown) > MOST_TENSORS:
                card.rows.append(("…", f"{len(shown) - MOST_TENSORS} others", "", ""))
        card.notes += letters.notes() + missing(held)
        return card

    def holdings(self, value: Value) -> Holdings:
        return self.program.watch.holdings(value) if self.program.watch is not None else Holdings()

    def parameters(self, held: Holdings) -> list[str]:
        """`11,173,962 parameters (5,130 trained) · 42.6 MiB float32`, and the buffers."""
        parameters = Holdings([h for h in held.tensors if not h.buffer], held.unknown)
        if held.unknown and not dims.usual(parameters.least):
            return []
        if not parameters.tensors:
            return ["no parameters"]
        count = f"{'at least ' if held.unknown else ''}{amount(parameters.least)} parameters"
        result = [count + self.trained(parameters)]
        weight = weights_text(parameters.tensors)
        if weight:
            result.append(weight)
        buffers = total([h for h in held.tensors if h.buffer and not isinstance(h.count, Unknown)])
        if not held.unknown and dims.usual(buffers):
            result.append(f"{amount(buffers)} in buffers")
        return result

    def trained(self, parameters: Holdings) -> str:
        training = Training(self.program)
        states = {id(h): training.trained(h) for h in parameters.tensors}
        if all(state is True for state in states.values()):
            return "" if parameters.unknown else " (all trained)"
        if None in states.values():
            return " (some may be frozen)"
        return f" ({amount(total([h for h in parameters.tensors if states[id(h)]]))} trained)"

    def mode(self, value: Value, sighting: Sighting) -> str:
        """`eval mode since line 31`: the last `train()` or `eval()` of it, or of a model it is in."""
        for event in reversed(sighting.trace.events[: sighting.events]):
            if event.kind not in ("train_mode", "eval_mode") or event.conds:
                continue
            subject = event.subject
            if subject is value or any(part is value for _, part in walk(subject)):
                wanted = event.value
                if isinstance(wanted, Unknown) or (isinstance(wanted, Const) and wanted.default):
                    return ""
                training = event.kind == "train_mode" and not (isinstance(wanted, Const) and not wanted.value)
                return f"{'training' if training else 'eval'} mode since line {event.place.line}"
        return ""

    # data

    def loader(self, value: Obj) -> Card:
        """Batch size, batches an epoch, samples, and what a batch is."""
        letters = Letters()
        fact = next((f for f in self.program.facts if isinstance(f, DataLoader) and f.value is value), None)
        batch = fact.batch_size if fact is not None else value.arg(1, "batch_size")
        length = fact.length if fact is not None else None
        parts = [code(short(value.name))]
        if batch is not None and not isinstance(batch, Unknown):
            source = source_of(batch)
            size = " or ".join(amount(option) for option in alternatives(batch))
            parts.append(f"batch {size}" + (f" ({source})" if source else ""))
        else:
            parts.append("batch size not known")
        parts += epoch(value, batch, length)
        card = Card(" · ".join(parts))
        found = self.asked(value, "__iter__")
        if found is not None and not isinstance(found, Unknown):
            card.notes = [f"a batch: {words(found, letters)}"]
            card.notes += [f"- {line}" for line in self.contents(found, letters)] + letters.notes()
        return card

    def dataset(self, value: Obj) -> Card:
        """Samples, and what a sample is."""
        letters = Letters()
        card = Card(code(short(value.name)))
        length = self.asked(value, "__len__")
        if dims.usual(length) is not None:
            card.head += f" · {amount(length)} samples"
        found = self.asked(value, "__getitem__")
        if found is not None and not isinstance(found, Unknown):
            card.notes = [f"a sample: {words(found, letters)}"]
            card.notes += [f"- {line}" for line in self.contents(found, letters)] + letters.notes()
        return card

    def asked(self, value: Obj, method: str) -> Value | None:
        """What a method of a library's object gives; nothing of it is recorded."""
        handler = registry.FUNCTIONS.get("builtins.len") if method == "__len__" else None
        args: list[Value] = [value] if handler is not None else []
        for owner in (value.name, value.kind):
            handler = handler or registry.METHODS.get((owner, method))
        if handler is None or value.node is None:
            return None
        run, watch = self.program.silent_run(), self.program.watch
        self.program.watch = None
        try:
            return handler(registry.OpCall(run, self.program.file.scope, value.node, method, args, {}, value))
        finally:
            self.program.watch = watch

    # training

    def optimizer(self, value: Obj) -> Card:
        """Class, learning rate, other settings, and how many parameters it holds."""
        lr = value.arg(1, "lr")
        parts = [code(short(value.name))]
        if lr is not None and not isinstance(lr, Unknown):
            source = source_of(lr)
            parts.append(f"lr {words(lr)}" + (f" ({source})" if source else ""))
        parts += [f"{key} {words(v)}" for key, v in value.kwargs.items() if key not in ("lr", "params") and plain(v)]
        card = Card(" · ".join(parts))
        card.notes = [f"holds {line}" for line in self.held_by(value.arg(0, "params"))]
        return card

    def held_by(self, params: Value | None) -> list[str]:
        """The parameters given to an optimizer: of a module, or by group."""
        if isinstance(params, Obj) and params.kind in ("parameters", "named_parameters") and params.args:
            held = self.holdings(params.args[0])
            counted = self.parameters(held)
            return [f"{counted[0]} of {code(kind_of(params.args[0]))}"] if counted else []
        if isinstance(params, Seq) and params.items is not None and any(isinstance(g, Mapping) for g in params.items):
            lines = []
            for at, group in enumerate(params.items[:MOST_NOTES]):
                inside = self.held_by(group.items.get("params")) if isinstance(group, Mapping) else []
                rate = group.items.get("lr") if isinstance(group, Mapping) else None
                text = inside[0] if inside else "parameters that are not known"
                own_rate = f", lr {words(rate)}" if rate is not None and plain(rate) else ""
                lines.append(f"in group {at} {text}{own_rate}")
            return lines
        return []

    def listing(self, value: Obj) -> Card:
        """`model.parameters()`."""
        lines = self.held_by(value)
        return Card(lines[0] if lines else code(value.name))

    def loss(self, value: Obj) -> Card:
        return Card(code(called(value)))

    def scheduler(self, value: Obj) -> Card:
        """Class and settings, and the optimizer."""
        parts = [code(short(value.name))]
        parts += [words(v) for v in value.args[1:] if plain(v)]
        parts += [f"{key} {words(v)}" for key, v in value.kwargs.items() if plain(v)]
        optimizer = value.arg(0, "optimizer")
        if isinstance(optimizer, Obj) and optimizer.kind == "optimizer":
            parts.append(f"of {code(short(optimizer.name))}")
        return Card(" · ".join(parts))

    _TABLE = {  # noqa: RUF012 - read only
        "loader": loader,
        "dataset": dataset,
        "subset": dataset,
        "optimizer": optimizer,
        "loss": loss,
        "parameters": listing,
        "named_parameters": listing,
        "scheduler": scheduler,
    }


def epoch(loader: Obj, batch: Value | None, length: Value | None) -> list[str]:
    """Batches an epoch and the number of samples, as words."""
    count = dims.usual(length)
    if count is None:
        return []
    found = batches(loader, batch, length)
    if found is None:
        return [f"{count:,} samples"]
    number, rest, drops = found
    last = f", {rest:,} of them left out" if drops and rest else f", the last batch has {rest:,}" if rest else ""
    return [f"{number:,} batches an epoch ({count:,} samples{last})"]


def batches(loader: Obj, batch: Value | None, length: Value | None) -> tuple[int, int, bool] | None:
    """Batches an epoch, samples that fill no batch, and whether those are dropped; None where one is not known."""
    size, count = dims.usual(batch), dims.usual(length)
    dropped = loader.arg(8, "drop_last")
    drops = isinstance(dropped, Const) and bool(dropped.value)
    known = (dropped is None or isinstance(dropped, Const)) and not loader.spilled
    if count is None or not size or not known or "batch_sampler" in loader.kwargs or sampled(loader):
        return None
    whole, rest = divmod(count, size)
    return whole + (bool(rest) and not drops), rest, drops


def plain(value: Value) -> bool:
    """Is it short to write?"""
    return isinstance(value, Const) or (isinstance(value, Seq) and value.items is not None and len(value.items) <= 4)


def sampled(loader: Obj) -> bool:
    """May a sampler change the number of batches?"""
    sampler = loader.arg(3, "sampler")
    return sampler is not None and not (isinstance(sampler, Const) and sampler.value is None)


def tensor_row(held: Held) -> tuple[str, ...]:
    shape = "?" if held.shape is None else " ".join(dims.text(size) for size in held.shape) or "()"
    return held.name, shape, (held.dtype or "?") + (" buffer" if held.buffer else ""), amount(held.count)


def weights_text(tensors: list[Held]) -> str:
    """`42.6 MiB float32`, by dtype where there are several; empty where a size or dtype is not known."""
    sums: dict[str, int] = {}
    for held in tensors:
        count = dims.usual(held.count)
        if count is None or held.dtype not in SIZES:
            return ""
        sums[held.dtype] = sums.get(held.dtype, 0) + count * SIZES[held.dtype]
    return " + ".join(f"{mebibytes(size)} {dtype}" for dtype, size in sums.items())


def missing(held: Holdings) -> list[str]:
    """What keeps the number of parameters from being known."""
    reasons = [(name, why.replace("<", "&lt;").replace("[", "\\[")) for name, why in held.unknown.items()]
    lines = [f"not known: {code(name)}: {why}" if name else f"not known: {why}" for name, why in reasons]
    return lines if len(lines) <= 3 else [*lines[:3], f"and {len(lines) - 3} others"]
