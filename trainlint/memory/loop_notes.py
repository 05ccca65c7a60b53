"""The notes about one training loop: batch size, model and layers, optimizer, loader, loss and backward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trainlint.analysis.cards import batches
from trainlint.analysis.facts import DataLoader, TrainLoop
from trainlint.analysis.modules import walk
from trainlint.analysis.notation import code, short, source_of
from trainlint.analysis.outline import kind_of
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Site
from trainlint.analysis.values import Const, Instance, Obj, Place, Value
from trainlint.memory import wording
from trainlint.memory.device import device_total
from trainlint.memory.estimate import Estimate, modules_of
from trainlint.memory.fits import Curve, largest_batch
from trainlint.memory.gpus import GIB
from trainlint.memory.sizes import Sizes
from trainlint.memory.target import Target
from trainlint.memory.wording import Named, size
from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.text.place import Span

# sizes of GPUs that many people have, in GiB
COMMON = (16, 24, 80)


class Spot(NamedTuple):
    """Markdown about a span of a file."""

    path: str
    span: Span
    text: str
    # the cell of a notebook, whose lines the span then counts
    cell: int | None = None
    # about a whole line, not about one expression
    whole: bool = False
    # where it is the batch size of a loop: path, cell and line of that
    loop: tuple[str, int | None, int] | None = None


class Spots:
    """Where the expressions of a program stand whose value is one of some objects."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._by_identity: dict[int, list[tuple[ir.Stmt, int]]] = {}
        self._by_literal: dict[Place, list[tuple[ir.Stmt, int]]] = {}
        watch = program.watch
        for spot, paths in watch.values.items() if watch is not None else ():
            for sighting in paths.values():
                value = sighting.value
                if isinstance(value, (Obj, Instance)):
                    self._by_identity.setdefault(id(value), []).append(spot)
                elif isinstance(value, Const) and value.literal is not None:
                    self._by_literal.setdefault(value.literal, []).append(spot)

    def of(self, values: Iterable[Value]) -> Iterator[Span]:
        """The expressions of the file that stand for one of these objects."""
        yield from self._placed(spot for value in values for spot in self._by_identity.get(id(value), ()))

    def of_literal(self, literal: Place) -> Iterator[Span]:
        """The expressions of the file that stand for the number written there."""
        yield from self._placed(self._by_literal.get(literal, ()))

    def _placed(self, spots: Iterable[tuple[ir.Stmt, int]]) -> Iterator[Span]:
        from trainlint.analysis.describe import placed

        for stmt, ordinal in dict.fromkeys(spots):
            if self.program.heed is not None:
                self.program.heed()
            where = placed(stmt, ordinal)
            if where is not None:
                yield where


class LoopNotes:
    """The notes about one training loop, and what they share."""

    def __init__(
        self,
        program: Program,
        loop: TrainLoop,
        curve: Curve,
        named: Named,
        target: Target | None,
        few: bool = True,
    ) -> None:
        """With `few` loops in the file, common sizes of memory stand in for a target that is not stated."""
        self.program, self.loop, self.named = program, loop, named
        self.curve, self.one = curve, curve.first
        self.path = program.file.path
        self.optimizers = list({id(e.subject): e.subject for e in loop.of("step")}.values())
        self.models = modules_of(loop)
        self.states = wording.states_of(self.optimizers)
        self.loaders = [
            fact
            for fact in program.facts
            if isinstance(fact, DataLoader) and any(other.loop is loop.loop for other in fact.loops)
        ]
        self.few, self.fitted = few, False
        self.summary = self.summarised(target)

    def all(self, spots: Spots) -> Iterator[Spot]:
        """Every note of the loop."""
        yield from self.batch_size(spots)
        yield from self.spots(spots.of(fact.value for fact in self.loaders), self.loader_text())
        yield from self.spots(spots.of(self.optimizers), self.optimizer_text())
        for model in self.models:
            yield from self.spots(spots.of([model]), self.model_text(model))
        yield from self.layers(spots)
        for event in self.loop.of("backward"):
            if event.file is self.program.file:
                yield Spot(self.path, span(event.node), self.backward_text())

    def spots(self, places: Iterable[Span], text: str) -> Iterator[Spot]:
        for place in places:
            yield Spot(self.path, place, text)

    # the batch size

    def batch_size(self, spots: Spots) -> Iterator[Spot]:
        """The number where it is written, the option that it is the default of, and the names that stand for it."""
        for fact in self.loaders:
            value = fact.batch_size
            if not isinstance(value, Const) or value.literal is None:
                continue
            node, literal = value.literal.node, value.literal
            places = list(spots.of_literal(literal))
            if isinstance(node, ir.Expr) and literal.path == self.path:
                places.append(span(node))
                if value.default:
                    places.append(span(node.stmt))
            for place in places:
                yield Spot(self.path, place, self.summary, loop=(self.one.path, None, self.one.line))

    def summarised(self, target: Target | None) -> str:
        """All about the peak: its shares, other batch sizes, the largest one, batches an epoch, and the sources."""
        lines = [wording.headline(self.one, self.states), *self.other_batches(), *self.largest(target), *self.epoch()]
        return "  \n".join(lines) + "\n\n" + wording.bullets(list(self.sources()))

    def other_batches(self) -> list[str]:
        """`32 → 2.7 · 128 → 9.9 GiB`, where the batch is what the loader says."""
        batch, peak = self.curve.batch, self.one.peak.allocated
        if not batch:
            return []
        found = [(n, self.curve.at(n).peak.allocated) for n in (batch // 2, 2 * batch) if n]
        text = wording.several([pair for pair in found if pair[1] != peak])
        return [f"{wording.least(self.one).capitalize()}{text}"] if text else []

    def largest(self, target: Target | None) -> list[str]:
        """`Largest on RTX 3090 (24 GB): 304`; without a target on common sizes of memory. Nothing is said by half:
        with parts that are not known the largest batch is smaller than what is found."""
        if target is not None:
            found = largest_batch(self.curve, self.curve.room(target))
            self.fitted = found is not None
            return [f"Largest on {target.name}: {self.bounded(found)}"] if found is not None else []
        if not self.few:
            return []
        sizes = [(count, largest_batch(self.curve, count * GIB - device_total(0, None).expected)) for count in COMMON]
        known = [f"{self.bounded(found)} on {count} GiB" for count, found in sizes if found]
        self.fitted = bool(known)
        return [f"Largest: {' · '.join(known)}"] if known else []

    def bounded(self, batch: int) -> str:
        """A largest batch; `less than` where parts of the memory are not known."""
        if not batch:
            return "not even a batch of 1"
        return f"{'less than ' if self.one.bound == 'at least ' else self.one.bound}{batch:,}"

    def epoch(self) -> list[str]:
        found = [batches(fact.value, fact.batch_size, fact.length) for fact in self.loaders]
        known = [one for one in found if one is not None]
        return [f"{known[0][0]:,} iterations an epoch"] if len(known) == 1 else []

    def sources(self) -> Iterator[str]:
        """Where each figure comes from."""
        one = self.one
        for fact in self.loaders:
            source = source_of(fact.batch_size) if fact.file is self.program.file else ""
            yield f"batch size: {source or f'of the loader at {self.line(fact.place)}'}"
        yield wording.reached(one, self.named)
        if one.terms["gradients"] and not one.peak.roles.get("gradients"):
            yield f"gradients of {size(one.terms['gradients'])} come when the peak is over"
        for model in self.models:
            yield f"{one.parameters:,} parameters: {code(kind_of(model))}{self.built(model)}"
        for optimizer in self.optimizers:
            if isinstance(optimizer, Obj):
                yield f"{self.states}: {code(short(optimizer.name))}{self.built(optimizer)}"
        most = wording.heavy(one, self.named)
        if most:
            yield f"alive when backward begins, by line: {most}"
        if self.fitted:
            yield "largest batch: the step played again under the memory that CUDA's context leaves to PyTorch"
        yield from wording.unknown(one, self.named)

    def line(self, place: Place) -> str:
        return self.named(place.path, place.line)

    def built(self, value: Value) -> str:
        """`, built at line 12`."""
        return f", built at {self.line(value.origin.place)}" if value.origin is not None else ""

    # the others

    def loader_text(self) -> str:
        moved = f"a batch takes {size(self.one.terms['batch'])} on the device" if self.one.terms["batch"] else ""
        return "  \n".join(line for line in (self.title(), moved, *self.epoch()) if line)

    def title(self) -> str:
        return f"**a training step**: {wording.peak(self.one)}"

    def optimizer_text(self) -> str:
        terms = self.one.terms
        return (
            f"**in a training step**: {self.states} {wording.least(self.one)}{size(terms['optimizer'])} · "
            f"gradients {size(terms['gradients'])} · parameters {size(terms['parameters'])}  \n{wording.peak(self.one)}"
        )

    def model_text(self, model: Value) -> str:
        """The share of a model: its parameters, what trains them, what its operations keep."""
        terms, least = self.one.terms, wording.least(self.one)
        shares = [(name, terms[name]) for name in ("parameters", "buffers", "gradients", "optimizer") if terms[name]]
        words = [f"{self.states if name == 'optimizer' else name} {size(count)}" for name, count in shares]
        words.append(f"activations {least}{size(terms['activations'])}")
        whole = "in a training step" if len(self.models) == 1 else "in a training step, all models together"
        lines = [f"**{whole}{self.at_batch()}**: {' · '.join(words)}", wording.peak(self.one)]
        gaps = wording.unknown(self.one, self.named)
        return "  \n".join(lines) + (f"\n\n{wording.bullets(gaps)}" if gaps else "")

    def at_batch(self) -> str:
        return f" at batch {self.one.batch_size:,}" if self.one.batch_size is not None else ""

    def backward_text(self) -> str:
        terms = self.one.terms
        alive = sum(terms[name] for name in ("activations", "batch"))
        lines = [
            f"**backward** begins with {wording.least(self.one)}{size(alive)} that the step made, and gives "
            f"{size(terms['gradients'])} of gradients",
            *([f"by line: {most}"] if (most := wording.heavy(self.one, self.named)) else []),
            wording.reached(self.one, self.named),
        ]
        return "  \n".join(lines)

    # layers

    def layers(self, spots: Spots) -> Iterator[Spot]:
        """The parts of the models: layers by where they are built, so that those of a loop are told of together."""
        groups: dict[object, list[Value]] = {}
        whole = {id(model) for model in self.models}
        seen: set[int] = set()
        for model in self.models:
            for _, part in walk(model):
                if id(part) in whole or id(part) in seen or not isinstance(part, (Obj, Instance)):
                    continue
                seen.add(id(part))
                node = part.origin.place if part.origin is not None else None
                groups.setdefault((kind_of(part).partition("(")[0], node or id(part)), []).append(part)
        use = Use(self.program, self.one)
        for parts in groups.values():
            text = use.text(parts, self.at_batch())
            if text:
                yield from self.spots(spots.of(parts), text)


class Use:
    """What the parts of a model do in the step, from the operations on the tape."""

    def __init__(self, program: Program, one: Estimate) -> None:
        self.one = one
        self.sizes = Sizes(None)
        self._sites: dict[int, list[Site]] = {}
        tape = program.tape
        for entry in tape.entries if tape is not None else ():
            if isinstance(entry, Site) and id(entry) in one.kept:
                for owner in (entry.layer, *entry.within):
                    if owner is not None:
                        self._sites.setdefault(id(owner), []).append(entry)

    def text(self, parts: list[Value], batch: str) -> str:
        """`**in a step at batch 64**: gives 64 64 32 32 (16 MiB) · keeps 768 KiB …`; empty where it is never used."""
        inside = [part for whole in parts for _, part in walk(whole)]
        sites = {id(site): site for part in inside for site in self._sites.get(id(part), ())}
        kept = {id(s): s.size for key in sites for s in self.one.kept[key]}
        if not sites:
            return ""
        words = []
        last = list(sites.values())[-1].results[0]
        shape = self.sizes.shape(last.shape) if len(parts) == 1 and len(inside) == 1 else None
        if shape is not None:
            words.append(f"gives `{' '.join(map(str, shape))}` ({size(self.sizes.bytes_of(last) or 0)})")
        keeps = size(sum(kept.values())) if kept else "nothing"
        words.append(f"{'keep' if len(parts) > 1 else 'keeps'} {keeps} for backward")
        who = f"{len(parts)} of these " if len(parts) > 1 else ""
        return f"**{who}in a step{batch}**: {' · '.join(words)}"
