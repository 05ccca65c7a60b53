"""Executes statements abstractly: one pass, branches joined, loops once with what they change widened."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from trainlint.analysis import calls
from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import bind
from trainlint.analysis.autocast import autocast_of
from trainlint.analysis.branches import fork
from trainlint.analysis.classes import define_class
from trainlint.analysis.conditions import condition, refine
from trainlint.analysis.decorators import accessor_of, run_decorators
from trainlint.analysis.deletion import delete
from trainlint.analysis.errors import catches_errors, expects_error
from trainlint.analysis.expressions import evaluate
from trainlint.analysis.iteration import bind_target, elements
from trainlint.analysis.looping import for_, while_
from trainlint.analysis.methods import extend
from trainlint.analysis.modules import add_children, container
from trainlint.analysis.run import Run
from trainlint.analysis.scalars import binary, compare
from trainlint.analysis.scope import Scope, merge
from trainlint.analysis.tape import statement_begins, statement_over
from trainlint.analysis.values import (
    Const,
    Func,
    Instance,
    Obj,
    Seq,
    Unknown,
    Value,
    assumed_truth,
    truth,
)
from trainlint.syntax import ir

# what is there wherever a model is trained
ALWAYS_INSTALLED = frozenset({"torch", *sys.stdlib_module_names})


# statements that hold on to nothing but what they bind
SIMPLE = (ir.ExprStmt, ir.Assign, ir.AnnAssign, ir.AugAssign)


def execute_block(run: Run, scope: Scope, block: list[ir.Stmt]) -> bool:
    """Run the statements in order. True where the end of the block cannot be reached."""
    saved = run.conds
    try:
        for index, stmt in enumerate(block):
            if not run.spend():
                return False
            handler = _TABLE.get(stmt.__class__)
            leaves = run.leaves
            left = len(leaves) if leaves is not None else 0
            simple = run.program.tape is not None and stmt.__class__ in SIMPLE
            if simple:
                statement_begins(run)
            if handler is not None and handler(run, scope, stmt):
                return True
            if simple and not isinstance(getattr(stmt, "value", None), (ir.Yield, ir.Await)):
                statement_over(run)
            if leaves is not None and len(leaves) != left and index + 1 < len(block):
                # a `break` or `continue` under an undecided condition: what follows may not run
                rest = block[index + 1 :]
                return fork(run, partial(execute_block, run, scope, rest), lambda: False)[0]
        return False
    finally:
        run.conds = saved


def _expr(run: Run, scope: Scope, stmt: ir.ExprStmt) -> bool:
    value = stmt.value
    given = evaluate(run, scope, value)
    if run.program.tape is not None and isinstance(given, Array):
        # nothing holds it after the statement
        run.program.tape.handed.setdefault(len(run.frames), []).append(given)
    if isinstance(value, ir.Call) and _never_returns(value):
        run.way = "raise"
        return True
    return False


def _never_returns(call: ir.Call) -> bool:
    func = call.func
    if isinstance(func, ir.Name):
        return func.id in ("exit", "quit")
    return (
        isinstance(func, ir.Attr) and isinstance(func.value, ir.Name) and (func.value.id, func.name) == ("sys", "exit")
    )


def _assign(run: Run, scope: Scope, stmt: ir.Assign) -> bool:
    value = evaluate(run, scope, stmt.value)
    for target in stmt.targets:
        if isinstance(target, ir.Name):
            _report_accumulation(run, scope, stmt, target, value)
        bind_target(run, scope, target, value)
    return False


def _report_accumulation(run: Run, scope: Scope, stmt: ir.Assign, target: ir.Name, value: Value) -> None:
    """`total = total + loss` is an accumulation like `total += loss`."""
    node = stmt.value
    if not (isinstance(node, ir.BinOp) and node.op == "+" and run.loops):
        return
    for mine, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(mine, ir.Name) and mine.id == target.id:
            with run.silent():
                added = evaluate(run, scope, other)
                before = evaluate(run, scope, mine)
            run.event("accumulate", stmt, scope, before, added, (value,), name=target.id)
            return


def _ann_assign(run: Run, scope: Scope, stmt: ir.AnnAssign) -> bool:
    if stmt.value is not None:
        bind_target(run, scope, stmt.target, evaluate(run, scope, stmt.value))
    return False


def _aug_assign(run: Run, scope: Scope, stmt: ir.AugAssign) -> bool:
    before = evaluate(run, scope, stmt.target)
    value = evaluate(run, scope, stmt.value)
    if stmt.op == "+" and isinstance(before, Seq) and before.kind == "list":
        extend(run, before, value)
        after: Value = before
    elif stmt.op == "+" and isinstance(before, (Obj, Instance)) and container(before) is not None:
        add_children(run, before, elements(value))
        after = before
    elif isinstance(before, Obj) and before.kind == "parameter":
        # in place: it stays the parameter
        after = before
    else:
        after = binary(run, scope, stmt.op, before, value, stmt)
    if stmt.op == "+":
        name = stmt.target.id if isinstance(stmt.target, ir.Name) else getattr(stmt.target, "name", "")
        run.event("accumulate", stmt, scope, before, value, (after,), name=name)
    bind_target(run, scope, stmt.target, after)
    return False


def _return(run: Run, scope: Scope, stmt: ir.Return) -> bool:
    value = evaluate(run, scope, stmt.value)
    if run.frames:
        run.frames[-1].returns.append(value)
    run.way = "return"
    return True


def _raise(run: Run, scope: Scope, stmt: ir.Raise) -> bool:
    if stmt.exc is not None:
        with run.silent():
            evaluate(run, scope, stmt.exc)
    run.way = "raise"
    return True


def _assert(run: Run, scope: Scope, stmt: ir.Assert) -> bool:
    evaluate(run, scope, stmt.test)
    refine(run, scope, stmt.test, True)
    return False


def _delete(run: Run, scope: Scope, stmt: ir.Delete) -> bool:
    for target in stmt.targets:
        delete(run, scope, target)
    return False


def _import(run: Run, scope: Scope, stmt: ir.Import) -> bool:
    for dotted, alias in stmt.names:
        if alias is not None:
            scope.bind(alias, run.program.imports.module(scope.file, dotted))
        else:
            head = dotted.partition(".")[0]
            scope.bind(head, run.program.imports.module(scope.file, head, dotted))
    return False


def _import_from(run: Run, scope: Scope, stmt: ir.ImportFrom) -> bool:
    if stmt.names is None:
        run.program.imports.star(scope, stmt.level, stmt.module)
        return False
    for name, alias in stmt.names:
        scope.bind(alias or name, run.program.imports.name(scope.file, stmt.level, stmt.module, name))
    return False


def _scope(run: Run, scope: Scope, stmt: ir.Scope) -> bool:
    if stmt.kind == "global":
        scope.declare_global(stmt.names)
    else:
        scope.declare_nonlocal(stmt.names)
    return False


def _break(run: Run, scope: Scope, stmt: ir.Break) -> bool:
    run.way = "break"
    return True


def _continue(run: Run, scope: Scope, stmt: ir.Continue) -> bool:
    run.way = "continue"
    return True


def _function(run: Run, scope: Scope, stmt: ir.FunctionDef) -> bool:
    func = Func(stmt, scope, scope.file)
    if scope.kind == "class" and (accessor := accessor_of(stmt)) is not None:
        # the name stays the property
        scope.bind(f"{stmt.name}.{accessor}", func)
        return False
    scope.bind(stmt.name, run_decorators(run, scope, func))
    # methods are entries of their class, with an object to run on
    if not run.muted and scope.kind != "class":
        run.program.defined.append(func)
    return False


def _class(run: Run, scope: Scope, stmt: ir.ClassDef) -> bool:
    cls = define_class(run, scope, stmt)
    scope.bind(stmt.name, run_decorators(run, scope, cls))
    if not run.muted:
        run.program.classes.append(cls)
    return False


def _if(run: Run, scope: Scope, stmt: ir.If) -> bool:
    test = evaluate(run, scope, stmt.test)
    decided = truth(test)
    chosen = assumed_truth(test) if run.by_default else None
    if decided is None and run.program.tape is not None:
        # what is not done by default takes no memory
        decided = chosen
    if decided is not None:
        if run.program.watch is not None:
            run.program.watch.skip(scope.file.path, stmt.orelse if decided else stmt.body)
        return execute_block(run, scope, stmt.body if decided else stmt.orelse)
    before = scope.names
    after: list[dict[str, Value]] = []

    def arm(holds: bool, block: list[ir.Stmt]) -> bool:
        scope.names = dict(before)
        tape = run.program.tape
        length = len(tape.entries) if tape is not None else 0
        with run.under(condition(run, scope, stmt.test, holds)):
            refine(run, scope, stmt.test, holds)
            stops = execute_block(run, scope, block)
        if tape is not None and stops and given_up(run, scope, stmt.test):
            del tape.entries[length:]
        if stops and chosen is None and run.leaves is not None and run.way in ("break", "continue"):
            run.leaves.append((run.way, scope.names))
            if run.loops:
                run.loops[-1].rounds = None
        after.append(scope.names)
        return stops

    stops = fork(run, lambda: arm(True, stmt.body), lambda: arm(False, stmt.orelse), chosen)
    if chosen is not None:
        scope.names = after[0 if chosen else 1]
        return stops[0 if chosen else 1]
    if all(stops):
        scope.names = before
        return True
    if any(stops):
        # what follows in this block runs only where the other branch was taken
        scope.names = after[1 if stops[0] else 0]
        if run.program.tape is not None and given_up(run, scope, stmt.test):
            return False
        run.conds = (*run.conds, (len(run.loops), condition(run, scope, stmt.test, not stops[0])))
        return False
    scope.names = merge(before, *after)
    return False


def given_up(run: Run, scope: Scope, test: ir.Expr) -> bool:
    """Was a round just left for a reason that is not every k-th round: the usual step does not (`if loss.isnan():`)?"""
    return run.way in ("raise", "continue", "break") and condition(run, scope, test, True).kind != "modulo"


def _with(run: Run, scope: Scope, stmt: ir.With) -> bool:
    saved_grad, saved_autocast = run.grad, run.autocast
    leaving: list[tuple[Instance, Func]] = []
    for item, target in stmt.items:
        value = evaluate(run, scope, item)
        entered = enter(run, scope, value, item, leaving)
        if target is not None:
            bind_target(run, scope, target, entered)
    with run.expected(any(expects_error(item) for item, _ in stmt.items)):
        stopped = execute_block(run, scope, stmt.body)
    for instance, leave in reversed(leaving):
        calls.call_function(run, scope, bind(leave, instance), [Const(None)] * 3, {}, stmt.items[0][0])
    run.grad, run.autocast = saved_grad, saved_autocast
    return stopped


def enter(run: Run, scope: Scope, value: Value, node: ir.Expr, leaving: list[tuple[Instance, Func]]) -> Value:
    """Enter a context: gradient modes take effect, a workspace class runs `__enter__` and later `__exit__`."""
    run.autocast = autocast_of(value, run.autocast, run.tick())
    if isinstance(value, Obj):
        if value.kind == "no_grad":
            run.grad = False
        elif value.kind == "grad_mode":
            run.grad = truth(value.arg(0, "mode")) is True
        elif value.kind == "enable_grad":
            run.grad = True
        elif value.kind == "accumulate":
            run.event("unknown_call", node, scope, value, None, tuple(value.args), "accumulate")
        return value.attrs.get("entered", value)
    if isinstance(value, Instance):
        leave, start = value.cls.find("__exit__"), value.cls.find("__enter__")
        if isinstance(leave, Func):
            leaving.append((value, leave))
        if isinstance(start, Func):
            return calls.call_function(run, scope, bind(start, value), [], {}, node)
        return value
    if isinstance(value, Unknown):
        # an unseen context manager may do anything around the block
        args = tuple(evaluate_quietly(run, scope, a) for a in node.args) if isinstance(node, ir.Call) else ()
        run.event("unknown_call", node, scope, value, None, args, "with")
        if "no_grad" in value.name or "inference" in value.name or "eval" in value.name:
            run.grad = False
    return value


def evaluate_quietly(run: Run, scope: Scope, node: ir.Expr) -> Value:
    with run.silent():
        return evaluate(run, scope, node)


def _try(run: Run, scope: Scope, stmt: ir.Try) -> bool:
    before = dict(scope.names)
    inside = scope.names
    ends: list[dict[str, Value]] = []

    def attempt() -> bool:
        nonlocal inside
        with run.expected(any(map(catches_errors, stmt.handlers))):
            stopped = execute_block(run, scope, stmt.body)
        inside = scope.names
        if not stopped and stmt.orelse:
            stopped = execute_block(run, scope, stmt.orelse)
        if not stopped:
            ends.append(scope.names)
        return stopped

    def handle(handler: ir.Handler) -> bool:
        scope.names = merge(before, dict(before), inside)
        if handler.name:
            scope.names[handler.name] = Unknown(handler.name)
        cond = condition(run, scope, handler.type, True) if handler.type is not None else None
        with run.under(cond):
            stopped = execute_block(run, scope, handler.body)
        if not stopped:
            ends.append(scope.names)
        return stopped

    def one_of_the(handlers: tuple[ir.Handler, ...]) -> bool:
        if len(handlers) == 1:
            return handle(handlers[0])
        return all(fork(run, partial(handle, handlers[0]), partial(one_of_the, handlers[1:])))

    if stmt.handlers and run.program.tape is not None and not tries_imports(stmt):
        # a step whose memory is counted meets no error but those that the program surely raises
        if attempt() and run.way == "raise":
            one_of_the(stmt.handlers)
    elif stmt.handlers:
        fork(run, attempt, partial(one_of_the, stmt.handlers), interrupted=True)
    else:
        attempt()
    scope.names = ends[0] if ends else inside
    for names in ends[1:]:
        scope.names = merge(before, scope.names, names)
    stopped = not ends
    if stmt.final:
        stopped = execute_block(run, scope, stmt.final) or stopped
    return stopped


def tries_imports(stmt: ir.Try) -> bool:
    """Does the block try whether something is installed?"""
    modules = [part.module for part in stmt.body if isinstance(part, ir.ImportFrom) and not part.level]
    modules += [name for part in stmt.body if isinstance(part, ir.Import) for name, _ in part.names]
    return any(module.partition(".")[0] not in ALWAYS_INSTALLED for module in modules)


def _match(run: Run, scope: Scope, stmt: ir.Match) -> bool:
    subject = evaluate(run, scope, stmt.subject)
    before = scope.names
    after: dict[str, Value] | None = None
    for case in stmt.cases:
        holds = _matches(run, scope, subject, case)
        if holds is False:
            continue
        if holds and after is None:
            scope.names = before
            return execute_block(run, scope, case.body)
        scope.names = dict(before)
        for name in case.binds:
            scope.names[name] = subject if len(case.binds) == 1 and case.pattern is None else Unknown(name)
        cond = condition(run, scope, stmt.subject, True)
        with run.under(cond):
            stopped, _ = fork(run, partial(execute_block, run, scope, case.body), lambda: False)
        if not stopped:
            after = scope.names if after is None else merge(before, after, scope.names)
    scope.names = before if after is None else merge(before, after, before)
    return False


def _matches(run: Run, scope: Scope, subject: Value, case: ir.Case) -> bool | None:
    """Is a case taken whose pattern is a plain value? None where that is not decided."""
    if case.pattern is None:
        return None
    answer = truth(compare(run, scope, subject, ("==",), [evaluate(run, scope, case.pattern)], case.pattern))
    return answer if case.guard is None or answer is False else None


def _unknown(run: Run, scope: Scope, stmt: ir.UnknownStmt) -> bool:
    for part in stmt.parts:
        evaluate(run, scope, part)
    for name in stmt.binds:
        scope.bind(name, Unknown(name))
    return False


def _broken(run: Run, scope: Scope, stmt: ir.Broken) -> bool:
    """A half-typed statement keeps its names bound and may have done anything: absence rules stay silent."""
    subjects = tuple(value for value in map(scope.lookup, stmt.names) if value is not None)
    for name in stmt.names:
        if scope.lookup(name) is None:
            scope.bind(name, Unknown(name))
    unknown = Unknown("a statement that does not parse")
    run.event("unknown_call", stmt, scope, unknown, None, subjects, "broken")
    return False


def _type_alias(run: Run, scope: Scope, stmt: ir.TypeAliasStmt) -> bool:
    scope.bind(stmt.name, Unknown(stmt.name))
    return False


_TABLE: dict[type, Callable[[Run, Scope, Any], bool]] = {
    ir.ExprStmt: _expr,
    ir.Assign: _assign,
    ir.AnnAssign: _ann_assign,
    ir.AugAssign: _aug_assign,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Assert: _assert,
    ir.Delete: _delete,
    ir.Import: _import,
    ir.ImportFrom: _import_from,
    ir.Scope: _scope,
    ir.Break: _break,
    ir.Continue: _continue,
    ir.FunctionDef: _function,
    ir.ClassDef: _class,
    ir.If: _if,
    ir.For: for_,
    ir.While: while_,
    ir.With: _with,
    ir.Try: _try,
    ir.Match: _match,
    ir.UnknownStmt: _unknown,
    ir.Broken: _broken,
    ir.TypeAliasStmt: _type_alias,
}
