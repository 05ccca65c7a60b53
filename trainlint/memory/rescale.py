"""A program at another batch size, where the batch is a constant all through: it is interpreted again.

A loader that drops the last batch, or a model that is told the batch size, gives tensors whose first axis is the number
that was written. In its place the program is given a symbol. Where that loses nothing, one more interpretation is
enough for all batch sizes; where it does, each batch size costs one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trainlint.analysis import dims
from trainlint.analysis.facts import DataLoader, TrainLoop
from trainlint.analysis.loops import derive
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Tape
from trainlint.analysis.values import Const, Value
from trainlint.analysis.watching import Watch
from trainlint.syntax import ir


def literal_of(program: Program, loop: TrainLoop, first: Value | None) -> Const | None:
    """The batch size where it is a number that the program states.

    That of the loader of the loop, or the first axis of what is moved to the device.
    """
    loaders = [fact for fact in program.facts if isinstance(fact, DataLoader) and loop in fact.loops]
    for value in (*(loader.batch_size for loader in loaders), first):
        if isinstance(value, Const) and type(value.value) is int and value.literal is not None:
            return value if isinstance(value.literal.node, ir.Const) else None
    return None


def with_symbol(program: Program, loop: TrainLoop, literal: Const) -> tuple[Program, TrainLoop] | None:
    """The program with the symbol B for the number, and the loop in it."""
    symbol = dims.symbol("B", key=("batch", id(literal)), value=Const(literal.value), origin=literal.origin)
    return _again(program, loop, literal, symbol)


def with_number(program: Program, loop: TrainLoop, literal: Const, number: int) -> tuple[Program, TrainLoop] | None:
    """The program with another number, and the loop in it."""
    return _again(program, loop, literal, Const(number, literal.origin, None, literal.literal))


def _again(program: Program, loop: TrainLoop, literal: Const, value: Value) -> tuple[Program, TrainLoop] | None:
    fresh = Program(program.file.path, program.file.document, program.workspace)
    fresh.tape, fresh.watch, fresh.heed = Tape(), Watch(frozenset()), program.heed
    assert literal.literal is not None
    node = literal.literal.node
    assert isinstance(node, ir.Const)
    with _meaning(node, value):
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
