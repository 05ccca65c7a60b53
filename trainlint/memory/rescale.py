"""A program at another batch size, where the batch is a constant all through: it is interpreted again.

A loader that drops the last batch, or a model that is told the batch size, gives tensors whose first axis is the number
that was written. In its place the program is given a symbol. Where that loses nothing, one more interpretation is
enough for all batch sizes; where it does, each batch size costs one.

A batch size that comes from outside, as an option without a default does, is given in the same way: to every expression
that reads it. Which of the values from outside it is shows when it is given: the batches of the loop then have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from trainlint.analysis import dims
from trainlint.analysis.facts import DataLoader, TrainLoop
from trainlint.analysis.loops import derive
from trainlint.analysis.outside import Outside, of_batch
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Tape
from trainlint.analysis.values import Const, Place, Sym, Value
from trainlint.analysis.watching import Watch
from trainlint.syntax import ir

# each trial interprets the program once more
MOST_TRIALS = 6


def literal_of(program: Program, loop: TrainLoop, first: Value | None) -> Const | None:
    """The batch size where it is a number that the program states.

    That of the loader of the loop, or the first axis of what is moved to the device.
    """
    loaders = [fact for fact in program.facts if isinstance(fact, DataLoader) and loop in fact.loops]
    for value in (*(loader.batch_size for loader in loaders), first):
        if isinstance(value, Const) and type(value.value) is int and value.literal is not None:
            # in the program, or in a configuration file
            return value if isinstance(value.literal.node, ir.Const) or value.literal.node is None else None
    return None


def with_symbol(program: Program, loop: TrainLoop, literal: Const) -> tuple[Program, TrainLoop] | None:
    """The program with the symbol B for the number, and the loop in it."""
    return _restated(program, loop, literal, any_batch(literal, literal.value))


def any_batch(value: Value, usual: int) -> Value:
    """The symbol B in the place of a value; `usual` is what it stands for where nothing else is asked for."""
    return dims.symbol("B", key=("batch", id(value)), value=Const(usual), origin=value.origin)


def with_number(program: Program, loop: TrainLoop, literal: Const, number: int) -> tuple[Program, TrainLoop] | None:
    """The program with another number, and the loop in it."""
    return _restated(program, loop, literal, Const(number, literal.origin, None, literal.literal))


def unstated(program: Program, loop: TrainLoop, first: Value | None) -> list[Value]:
    """Values from outside that may be the batch size of a loop, the likeliest first.

    What the loader is told or the first axis of what is moved to the device is, then what is named as a batch size is,
    and where nothing says it the others that the program reads.
    """
    assert program.watch is not None
    outside = program.watch.outside
    told = [fact.batch_size for fact in program.facts if isinstance(fact, DataLoader) and loop in fact.loops]
    found = {id(value): value for value in (*told, first) if value is not None and outside.expressions(value)}
    others = [value for value, reads in outside.reads.values() if id(value) not in found]
    others.sort(key=lambda value: not any(map(of_batch, outside.expressions(value))))
    if found or isinstance(first, (Const, Sym)):
        others = [value for value in others if any(map(of_batch, outside.expressions(value)))]
    return [*found.values(), *others][:MOST_TRIALS]


def with_given(program: Program, loop: TrainLoop, unstated: Value, value: Value) -> tuple[Program, TrainLoop] | None:
    """The program where a value from outside is this one, and the loop in it."""
    assert program.watch is not None
    given = dict.fromkeys(program.watch.outside.expressions(unstated), value)
    return _again(program, loop, {**program.watch.outside.given, **given})


def _restated(program: Program, loop: TrainLoop, literal: Const, value: Value) -> tuple[Program, TrainLoop] | None:
    assert literal.literal is not None
    node = literal.literal.node
    if not isinstance(node, ir.Const):
        return _again(program, loop, {}, [(literal.literal, value)])
    with _meaning(node, value):
        return _again(program, loop, {})


def _again(
    program: Program, loop: TrainLoop, given: Mapping[ir.Expr, Value], restated: Sequence[tuple[Place, Value]] = ()
) -> tuple[Program, TrainLoop] | None:
    """The program interpreted anew with values for expressions that are not known."""
    fresh = Program(program.file.path, program.file.document, program.workspace)
    fresh.tape, fresh.watch, fresh.heed = Tape(), Watch(frozenset(), Outside(given)), program.heed
    fresh.restated = [*program.restated, *restated]
    fresh.interpret()
    derive(fresh)
    before, after = _alike(program, loop), _alike(fresh, loop)
    # a loop that is gone through on several call paths is there several times
    return (fresh, after[before.index(loop)]) if len(before) == len(after) else None


@contextmanager
def _meaning(node: ir.Const, value: Value) -> Iterator[None]:
    """Let a literal mean something else for a while; values of literals are kept at their nodes."""
    before, node.meaning = node.meaning, value
    try:
        yield
    finally:
        node.meaning = before


def _alike(program: Program, loop: TrainLoop) -> list[TrainLoop]:
    return [fact for fact in program.facts if isinstance(fact, TrainLoop) and fact.loop.node is loop.loop.node]
