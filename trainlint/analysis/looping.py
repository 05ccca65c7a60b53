"""`for` and `while`: round by round where that builds something or is part of a counted step, else once for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.arrival import arrived
from trainlint.analysis.branches import fork
from trainlint.analysis.classes import assigned_targets
from trainlint.analysis.expressions import evaluate
from trainlint.analysis.facts import Loop
from trainlint.analysis.iteration import bind_target, count_of, elements, iterate, taken_apart
from trainlint.analysis.listing import LISTINGS
from trainlint.analysis.rounds import Rounds
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope, merge
from trainlint.analysis.tape import round_over
from trainlint.analysis.unrolling import (
    MAX_NESTED,
    MAX_UNROLLED,
    most_rounds,
    over_numbers,
    over_parameters,
    over_phases,
    unrollable,
)
from trainlint.analysis.values import Class, Const, Func, Instance, Obj, Seq, Unknown, Value, assumed_truth, truth
from trainlint.syntax import ir


def for_(run: Run, scope: Scope, stmt: ir.For) -> bool:
    """A `for` statement. True where what follows it is never reached."""
    over = evaluate(run, scope, stmt.iter)
    if isinstance(over, Array) and run.program.tape is not None and unrollable(run, stmt):
        over = taken_apart(run, scope, over, stmt.iter) or over
    known = elements(over)
    single = isinstance(over, Obj) and over.kind in LISTINGS
    if known is not None and (single or (len(known) <= most_rounds(run) and len(known) * run.rounds <= MAX_NESTED)):
        layers = bool(known) and _callable_items(known) and run.program.self_updating(stmt)
        weights = single or (run.program.tape is not None and bool(known) and _parameters(known))
        unroll = layers or unrollable(run, stmt) or (weights and over_parameters(run, stmt))
        if unroll or over_numbers(run, stmt, known) or over_phases(run, known):
            return _unrolled(run, scope, stmt, known)
    item = iterate(run, scope, over, stmt.iter)
    return _loop(
        run, scope, stmt, over, lambda: bind_target(run, scope, stmt.target, arrived(run, scope, over, item, stmt.iter))
    )


def _callable_items(items: list[Value]) -> bool:
    """Layers, transforms, functions: a pipeline that is applied step by step."""
    return all(isinstance(v, (Func, Class, Instance, Obj)) for v in items)


def _parameters(items: list[Value]) -> bool:
    """Parameters, or those of two models side by side."""
    parts = [part for item in items for part in ((item.items or ()) if isinstance(item, Seq) else (item,))]
    return bool(parts) and all(isinstance(part, Obj) and part.kind == "parameter" for part in parts)


def _unrolled(run: Run, scope: Scope, stmt: ir.For, items: list[Value]) -> bool:
    """A loop over a known short sequence runs once for each of its elements: a round sees what the last one made."""
    from trainlint.analysis.statements import execute_block

    saved, run.leaves = run.leaves, []
    outer, run.rounds = run.rounds, run.rounds * max(1, len(items))
    ended: list[dict[str, Value]] = []
    completed, stopped = _rounds(run, scope, stmt, items, ended)
    run.leaves, run.rounds = saved, outer
    if completed and stmt.orelse:
        if ended:
            # a round may have been the last one
            stopped, _ = fork(run, lambda: execute_block(run, scope, stmt.orelse), lambda: False)
            if stopped:
                scope.names, stopped = ended.pop(), False
        else:
            stopped = execute_block(run, scope, stmt.orelse)
    for names in ended:
        scope.names = merge(scope.names, scope.names, names)
    return stopped


def _rounds(
    run: Run, scope: Scope, stmt: ir.For, items: list[Value], ended: list[dict[str, Value]]
) -> tuple[bool, bool]:
    """The rounds of an unrolled loop: did all of them run, and is what comes after the loop never reached?"""
    tape, repeating = run.program.tape, False
    rounds = Rounds(tape, stmt) if tape is not None else None
    for index, item in enumerate(items):
        if repeating and index < len(items) - 1:
            continue
        breaks = len(ended)
        bind_target(run, scope, stmt.target, item)
        going, stopped = _round(run, scope, stmt.body, ended)
        if not going:
            return False, stopped
        repeating = repeating or (rounds is not None and rounds.repeats(scope.names))
        if len(ended) > breaks:
            # a `break` under an undecided condition: what the other rounds change may also stay as it is
            rest: list[tuple[bool, bool]] = []

            def others(start: int = index + 1, found: list[tuple[bool, bool]] = rest) -> bool:
                found.append(_rounds(run, scope, stmt, items[start:], ended))
                return False

            fork(run, others, lambda: False)
            return rest[0]
    return True, False


def _round(run: Run, scope: Scope, body: list[ir.Stmt], ended: list[dict[str, Value]]) -> tuple[bool, bool]:
    """One round of an unrolled loop: does another follow, and is what comes after the loop never reached?"""
    from trainlint.analysis.statements import execute_block

    assert run.leaves is not None
    run.leaves.clear()
    stops = execute_block(run, scope, body)
    way = run.way if stops else ""
    leaves = list(run.leaves)
    ended += [names for how, names in leaves if how == "break"]
    again = [names for how, names in leaves if how == "continue"]
    if way in ("return", "raise") and again:
        scope.names, way = again.pop(), ""
    for names in again:
        scope.names = merge(scope.names, scope.names, names)
    if way in ("return", "raise"):
        if ended:
            scope.names = ended.pop()
            return False, False
        return False, True
    return way != "break" and run.budget >= 0, False


def while_(run: Run, scope: Scope, stmt: ir.While) -> bool:
    """A `while` statement. True where what follows it is never reached."""
    test = evaluate(run, scope, stmt.test)
    if not isinstance(stmt.test, ir.Const) and unrollable(run, stmt):
        saved, run.leaves = run.leaves, []
        ended: list[dict[str, Value]] = []
        rounds, going, stopped = 0, True, False
        while going and rounds < MAX_UNROLLED and _holds(run, test):
            rounds += 1
            going, stopped = _round(run, scope, stmt.body, ended)
            test = evaluate(run, scope, stmt.test) if going else test
        run.leaves = saved
        for names in ended:
            scope.names = merge(scope.names, scope.names, names)
        if not going or (rounds < MAX_UNROLLED and _fails(run, test)):
            return stopped
    return _loop(run, scope, stmt, None, lambda: None)


def _holds(run: Run, test: Value) -> bool:
    return (assumed_truth(test) if run.by_default else truth(test)) is True


def _fails(run: Run, test: Value) -> bool:
    return (assumed_truth(test) if run.by_default else truth(test)) is False


def _loop(run: Run, scope: Scope, stmt: ir.For | ir.While, over: Value | None, start: Callable[[], None]) -> bool:
    from trainlint.analysis.statements import execute_block

    owner = run.frames[-1].owner if run.frames else None
    loop = Loop(stmt, scope.file, over, run.function, owner, run.via)
    if not run.muted:
        run.trace.loops.append(loop)
    loop.rounds = count_of(run, scope, over, stmt.iter) if isinstance(stmt, ir.For) and over is not None else None
    runs = run.program.tape is not None and loop.rounds is not None and dims.usual(loop.rounds) != 0
    before = dict(scope.names)
    widen(run, scope, stmt)
    saved_loops, saved_grad, saved_floor, saved_leaves = run.loops, run.grad, run.floor, run.leaves
    saved_outer, run.outer_floor = run.outer_floor, run.floor
    run.loops = (*saved_loops, loop)
    run.floor, run.leaves = run.tick(), []

    def body() -> bool:
        start()
        execute_block(run, scope, stmt.body)
        round_over(run)
        return False

    # there may be no round at all
    fork(run, body, lambda: False, True if runs else None)
    leaves = run.leaves
    run.loops = saved_loops
    run.grad = saved_grad
    run.floor, run.leaves, run.outer_floor = saved_floor, saved_leaves, saved_outer
    scope.names = merge(before, scope.names, before) if before else scope.names
    for _, names in leaves:
        scope.names = merge(before, scope.names, names)
    if stmt.orelse:
        after = scope.names
        scope.names = dict(after)
        fork(run, partial(execute_block, run, scope, stmt.orelse), lambda: False)
        scope.names = merge(before, after, scope.names)
    return False


def widen(run: Run, scope: Scope, stmt: ir.For | ir.While) -> None:
    """Scalars that the body assigns are unknown inside it: what a round reads before may be of the round before."""
    updating = run.program.self_updating(stmt)
    for name in updating:
        value = scope.names.get(name)
        if isinstance(value, Array):
            # after some iterations nothing is left of what it was before the first
            scope.names[name] = Array(lib=value.lib)
    for target in run.program.targets(stmt):
        if isinstance(target, ir.Name):
            value = scope.names.get(target.id)
            if isinstance(value, Const):
                scope.names[target.id] = held = Unknown(target.id, value.origin)
                if target.id in updating and isinstance(value.value, (int, float)):
                    held.promised = "total"
        elif isinstance(target, ir.Attr) and isinstance(target.value, ir.Name):
            holder = scope.lookup(target.value.id)
            if isinstance(holder, (Instance, Obj)) and isinstance(holder.attrs.get(target.name), Const):
                run.touch(holder, target.name)
                holder.attrs[target.name] = Unknown(f"{target.value.id}.{target.name}")


def self_updating_names(stmt: ir.For | ir.While) -> frozenset[str]:
    """Names that the loop's body assigns from an expression that mentions them, or augments."""
    names: set[str] = set()
    stack: list[list[ir.Stmt]] = [stmt.body]
    while stack:
        for inner in stack.pop():
            if isinstance(inner, ir.AugAssign) and isinstance(inner.target, ir.Name):
                names.add(inner.target.id)
            elif isinstance(inner, ir.Assign):
                targets = [t.id for t in assigned_targets([inner]) if isinstance(t, ir.Name)]
                names.update(t for t in targets if mentions(inner.value, t))
            for block in ("body", "orelse", "final"):
                nested = getattr(inner, block, None)
                if isinstance(nested, list) and not isinstance(inner, (ir.FunctionDef, ir.ClassDef)):
                    stack.append(nested)
    return frozenset(names)


def mentions(expr: ir.Expr, name: str) -> bool:
    if isinstance(expr, ir.Name):
        return expr.id == name
    for part in ("left", "right", "operand", "value", "func", "test", "body", "orelse"):
        child = getattr(expr, part, None)
        if isinstance(child, ir.Expr) and mentions(child, name):
            return True
    return any(isinstance(a, ir.Expr) and mentions(a, name) for a in getattr(expr, "args", ()))
