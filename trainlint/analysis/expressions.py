"""Evaluates expressions to abstract values. Anything not understood is Unknown; nothing here raises on odd code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainlint.analysis import calls, dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import get_attribute
from trainlint.analysis.builtin_names import BUILTINS
from trainlint.analysis.indexing import get_item
from trainlint.analysis.iteration import bind_target, count_of, elements, iterate, taken_apart
from trainlint.analysis.joins import element, join, one_of
from trainlint.analysis.run import Run
from trainlint.analysis.scalars import binary, compare, unary
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import (
    KEYS,
    Const,
    Ext,
    Func,
    Mapping,
    Place,
    Seq,
    Step,
    Sym,
    Unknown,
    Value,
    assumed_truth,
    is_none,
    truth,
)
from trainlint.syntax import ir

MAX_UNROLLED_COMPREHENSION = 1024
MAX_ELEMENTS = 1024


def evaluate(run: Run, scope: Scope, expr: ir.Expr | None) -> Value:
    """The abstract value of an expression; reports the events and facts of the calls inside it."""
    if expr is None:
        return Const(None)
    handler = _TABLE.get(expr.__class__)
    value = handler(run, scope, expr) if handler is not None else Unknown()
    watch = run.program.watch
    if watch is not None:
        if isinstance(value, (Unknown, Ext)):
            value = watch.outside.see(expr, value)
        if expr.stmt in watch.statements:
            watch.see(run, expr, value)
    return value


def _const(run: Run, scope: Scope, expr: ir.Const) -> Value:
    value: Const | None = expr.meaning
    if value is None:
        place = Place(scope.file.path, expr)
        value = expr.meaning = Const(expr.value, Step(place, "literal"), None, place)
    return value


def _name(run: Run, scope: Scope, expr: ir.Name) -> Value:
    value = scope.lookup(expr.id)
    if value is not None:
        return value
    if expr.id in BUILTINS:
        return Ext(f"builtins.{expr.id}")
    stars = scope.module().stars
    if len(stars) == 1:
        return run.program.external(f"{stars[0]}.{expr.id}")
    # one Unknown per free name, so that two uses are the same thing
    value = Unknown(expr.id)
    scope.module().names[expr.id] = value
    return value


def _attr(run: Run, scope: Scope, expr: ir.Attr) -> Value:
    return get_attribute(run, scope, evaluate(run, scope, expr.value), expr.name, expr)


def _star(run: Run, scope: Scope, expr: ir.Star) -> Value:
    return evaluate(run, scope, expr.value)


def _call(run: Run, scope: Scope, expr: ir.Call) -> Value:
    func = expr.func
    if isinstance(func, ir.Attr):
        if isinstance(func.value, ir.Call) and isinstance(func.value.func, ir.Name) and func.value.func.id == "super":
            return calls.call_super(run, scope, expr, func.name)
        receiver = evaluate(run, scope, func.value)
        args, kwargs = arguments(run, scope, expr)
        result = calls.call_method(run, scope, receiver, func.name, args, kwargs, expr)
        if func.name.endswith("_") and isinstance(receiver, Array) and isinstance(result, Array):
            # an in-place method: the tensor of that name is the result from here on
            if isinstance(func.value, ir.Name) and func.name[0] != "_":
                bind_target(run, scope, func.value, result)
        return result
    callee = evaluate(run, scope, func)
    args, kwargs = arguments(run, scope, expr)
    return calls.call(run, scope, callee, args, kwargs, expr)


def arguments(run: Run, scope: Scope, expr: ir.Call) -> tuple[list[Value], dict[str, Value]]:
    """Positional and keyword values. What a `*` or `**` hides is marked by the keys `*` and `**`."""
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    for node in expr.args:
        if isinstance(node, ir.Star):
            spill = evaluate(run, scope, node.value)
            spilled = elements(spill)
            if spilled is not None and "*" not in kwargs:
                args.extend(spilled)
            else:
                kwargs["*"] = spill
        else:
            args.append(evaluate(run, scope, node))
    for name, node in expr.keywords:
        value = evaluate(run, scope, node)
        if name is not None:
            kwargs[name] = value
        elif isinstance(value, Mapping) and not value.open:
            kwargs.update({str(key): item for key, item in value.items.items()})
        else:
            kwargs["**"] = value
    return args, kwargs


def _binop(run: Run, scope: Scope, expr: ir.BinOp) -> Value:
    left = evaluate(run, scope, expr.left)
    right = evaluate(run, scope, expr.right)
    return binary(run, scope, expr.op, left, right, expr)


def _unary(run: Run, scope: Scope, expr: ir.UnaryOp) -> Value:
    return unary(run, scope, expr.op, evaluate(run, scope, expr.operand), expr)


def _boolop(run: Run, scope: Scope, expr: ir.BoolOp) -> Value:
    left = evaluate(run, scope, expr.left)
    decided = assumed_truth(left) if run.by_default else truth(left)
    if decided is not None:
        stop = decided if expr.op == "or" else not decided
        return left if stop else evaluate(run, scope, expr.right)
    right = evaluate(run, scope, expr.right)
    if expr.op == "or" and is_none(left):
        return right
    if isinstance(right, Const) and right.value is (expr.op == "or"):
        # whatever the left side is, the whole is true or is not
        return right
    return join(left, right)


def _compare(run: Run, scope: Scope, expr: ir.Compare) -> Value:
    left = evaluate(run, scope, expr.left)
    rights = [evaluate(run, scope, node) for node in expr.comparators]
    return compare(run, scope, left, expr.ops, rights, expr)


def _subscript(run: Run, scope: Scope, expr: ir.Subscript) -> Value:
    return get_item(run, scope, evaluate(run, scope, expr.value), expr.index, expr)


def _sequence(run: Run, scope: Scope, expr: ir.Sequence) -> Value:
    items: list[Value] = []
    rest: Value | None = None
    for node in expr.elts:
        if isinstance(node, ir.Star):
            spill = evaluate(run, scope, node.value)
            spilled = elements(spill)
            if spilled is not None and rest is None:
                items.extend(spilled)
                continue
            rest = join(rest, element(spill)) if rest is not None and isinstance(spill, Seq) else Unknown()
        else:
            items.append(evaluate(run, scope, node))
    origin = Step(Place(scope.file.path, expr), "display")
    if rest is not None:
        return Seq(expr.kind, None, one_of((*items, rest)), origin)
    made = Seq(expr.kind, items, None, origin)
    made.born = run.tick()
    return made


def _dict(run: Run, scope: Scope, expr: ir.Dict) -> Value:
    items: dict[Any, Value] = {}
    is_open = False
    for key, node in zip(expr.keys, expr.values, strict=True):
        value = evaluate(run, scope, node)
        if key is None:
            if isinstance(value, Mapping):
                items.update(value.items)
                is_open = is_open or value.open
            else:
                is_open = True
            continue
        name = evaluate(run, scope, key)
        if isinstance(name, Const) and isinstance(name.value, KEYS):
            items[name.value] = value
        else:
            is_open = True
    made = Mapping(items, is_open, Step(Place(scope.file.path, expr), "dict"))
    made.born = run.tick()
    return made


def _ifexp(run: Run, scope: Scope, expr: ir.IfExp) -> Value:
    test = evaluate(run, scope, expr.test)
    decided = assumed_truth(test) if run.by_default else truth(test)
    if decided is not None:
        return evaluate(run, scope, expr.body if decided else expr.orelse)
    return join(evaluate(run, scope, expr.body), evaluate(run, scope, expr.orelse))


def _lambda(run: Run, scope: Scope, expr: ir.Lambda) -> Value:
    return Func(expr, scope, scope.file)


def _comp(run: Run, scope: Scope, expr: ir.Comp) -> Value:
    inner = Scope("function", scope.file, scope, scope.function)
    over = evaluate(run, scope, expr.clauses[0].iter)
    known = _comp_known(run, inner, expr, over)
    if known is not None:
        return known
    length: Value | None = Const(1)
    for index, clause in enumerate(expr.clauses):
        source = over if index == 0 else evaluate(run, inner, clause.iter)
        count = None if clause.ifs or expr.kind == "set" else count_of(run, scope, source, clause.iter)
        length = dims.mul(length, count) if count is not None and length is not None else None
        bind_target(run, inner, clause.target, iterate(run, scope, source, clause.iter))
        for test in clause.ifs:
            evaluate(run, inner, test)
    if expr.kind == "dict":
        evaluate(run, inner, expr.key)
        evaluate(run, inner, expr.elt)
        return Mapping({}, True)
    kind = "list" if expr.kind == "generator" else expr.kind
    if length is None:
        # however many there are, it is a number that may cancel: `ids + [0] * (n - len(ids))`
        length = Sym("len(…)")
    covering = Seq(kind, None, evaluate(run, inner, expr.elt), None, length)
    covering.born = run.tick()
    return covering


def _comp_known(run: Run, inner: Scope, expr: ir.Comp, over: Value) -> Value | None:
    """A comprehension over known elements whose conditions are all decided, element by element; else None."""
    if run.program.tape is not None and isinstance(over, Array) and elements(over) is None:
        over = taken_apart(run, inner, over, expr.clauses[0].iter) or over
    inside = elements(over)
    if inside is None:
        return None
    if len(inside) > 1 and len(expr.clauses) == 1 and not expr.clauses[0].ifs and expr.kind == "list":
        if isinstance(inside[0], Sym) and all(item is inside[0] for item in inside):
            # one and the same number: the elements differ in their data only
            bind_target(run, inner, expr.clauses[0].target, inside[0])
            return Seq("list", [evaluate(run, inner, expr.elt)] * len(inside))
    pairs: list[tuple[Value | None, Value]] = []
    if not _comp_clauses(run, inner, expr, 0, over, pairs):
        return None
    if expr.kind != "dict":
        made = Seq("list" if expr.kind == "generator" else expr.kind, [value for _, value in pairs])
        made.born = run.tick()
        return made
    result: dict[Any, Value] = {}
    for key, value in pairs:
        if not (isinstance(key, Const) and isinstance(key.value, KEYS)):
            return Mapping({}, True)
        result[key.value] = value
    mapping = Mapping(result)
    mapping.born = run.tick()
    return mapping


def _comp_clauses(
    run: Run, inner: Scope, expr: ir.Comp, index: int, over: Value, pairs: list[tuple[Value | None, Value]]
) -> bool:
    """Run the clauses from `index` on; False where what they give is not known."""
    items = elements(over)
    if items is None or len(items) > MAX_UNROLLED_COMPREHENSION:
        return False
    clause = expr.clauses[index]
    for item in items:
        bind_target(run, inner, clause.target, item)
        tests = [evaluate(run, inner, test) for test in clause.ifs]
        answers = [assumed_truth(test) if run.by_default else truth(test) for test in tests]
        if None in answers and False not in answers:
            return False
        if False in answers:
            continue
        if index + 1 < len(expr.clauses):
            following = evaluate(run, inner, expr.clauses[index + 1].iter)
            if not _comp_clauses(run, inner, expr, index + 1, following, pairs):
                return False
            continue
        key = evaluate(run, inner, expr.key) if expr.kind == "dict" else None
        pairs.append((key, evaluate(run, inner, expr.elt)))
        if len(pairs) > MAX_ELEMENTS:
            return False
    return True


def _fstring(run: Run, scope: Scope, expr: ir.FString) -> Value:
    text = ""
    default: str | None = None
    complete = True
    for part in expr.parts:
        if isinstance(part, str):
            text += part
            continue
        value = evaluate(run, scope, part)
        if isinstance(value, Const):
            text += str(value.value)
            default = default or value.default
        else:
            complete = False
    return Const(text, None, default) if complete else Unknown("f-string")


def _slice(run: Run, scope: Scope, expr: ir.Slice) -> Value:
    for part in (expr.lower, expr.upper, expr.step):
        if part is not None:
            evaluate(run, scope, part)
    return Unknown("slice")


def _await(run: Run, scope: Scope, expr: ir.Await) -> Value:
    return evaluate(run, scope, expr.value)


def _yield(run: Run, scope: Scope, expr: ir.Yield) -> Value:
    value = evaluate(run, scope, expr.value)
    if run.frames:
        frame = run.frames[-1]
        given = elements(value) if expr.is_from else [value]
        # once and certainly: parts of a model, which a function gathers for its optimizer
        certain = run.program.tape is not None and (len(run.loops), len(run.conds)) == frame.around
        if certain and given is not None:
            frame.yields += given
        else:
            frame.yields += [None, iterate(run, scope, value, expr) if expr.is_from else value]
    return Unknown()


def _named(run: Run, scope: Scope, expr: ir.NamedExpr) -> Value:
    value = evaluate(run, scope, expr.value)
    bind_target(run, scope, expr.target, value)
    return value


def _unknown(run: Run, scope: Scope, expr: ir.UnknownExpr) -> Value:
    for part in expr.parts:
        evaluate(run, scope, part)
    return Unknown()


_TABLE: dict[type, Callable[[Run, Scope, Any], Value]] = {
    ir.Const: _const,
    ir.Name: _name,
    ir.Attr: _attr,
    ir.Star: _star,
    ir.Call: _call,
    ir.BinOp: _binop,
    ir.UnaryOp: _unary,
    ir.BoolOp: _boolop,
    ir.Compare: _compare,
    ir.Subscript: _subscript,
    ir.Sequence: _sequence,
    ir.Dict: _dict,
    ir.IfExp: _ifexp,
    ir.Lambda: _lambda,
    ir.Comp: _comp,
    ir.FString: _fstring,
    ir.Slice: _slice,
    ir.Await: _await,
    ir.Yield: _yield,
    ir.NamedExpr: _named,
    ir.UnknownExpr: _unknown,
}
