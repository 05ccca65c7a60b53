"""Lowers libcst statements to the IR, once; the tree is dropped afterwards. Covers Python 3.8 to 3.14.

The k-th statement or header of a tree is the k-th logical line of its text, so lines come from the skeleton.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import libcst as cst

from trainlint.syntax import ir
from trainlint.syntax.expressions import BINARY, EXPRESSIONS, argument, arguments, params, parts_of, unknown

_E = TypeVar("_E", bound=ir.Expr)
_S = TypeVar("_S", bound=ir.Stmt)


class Lowering:
    """Lowers the statements of one unit.

    `lines` are the 0-based (first, last) line offsets of the unit's logical lines, in order.  `places`, where given,
    collects the libcst node of each (statement index, ordinal), with -1 for the statement itself.
    """

    __slots__ = ("_at", "_fresh", "_index", "_lines", "_nodes", "_places", "_unit", "called")

    def __init__(
        self,
        unit: ir.Unit,
        lines: Sequence[tuple[int, int]],
        places: dict[tuple[int, int], cst.CSTNode] | None = None,
    ) -> None:
        self._unit = unit
        self.called = unit.called
        self._lines = lines or ((0, 0),)
        self._places = places
        self._at = -1  # the logical line being lowered
        self._index = 0  # of the next statement
        # expressions lowered for the statement in progress, and their nodes
        self._fresh: list[ir.Expr] = []
        self._nodes: list[cst.CSTNode] = []

    @property
    def is_in_step(self) -> bool:
        """Did every logical line hold a statement or a header? If not, the skeleton cut the text in another way."""
        return self._at + 1 == len(self._lines)

    # expressions

    def expr(self, node: cst.CSTNode) -> ir.Expr:
        made = EXPRESSIONS.get(node.__class__, unknown)(self, node)
        self._fresh.append(made)
        self._nodes.append(node)
        return made

    def optional(self, node: cst.CSTNode | None) -> ir.Expr | None:
        return None if node is None else self.expr(node)

    def mark(self, made: _E, node: cst.CSTNode) -> _E:
        """Number an expression that has no `expr` call of its own; `node` gives its place."""
        self._fresh.append(made)
        self._nodes.append(node)
        return made

    # statements

    def next_line(self) -> None:
        self._at += 1

    def seal(self, stmt: _S, node: cst.CSTNode) -> _S:
        """Place a statement on the current logical line and give it the expressions lowered since the last one."""
        stmt.unit = self._unit
        stmt.index = index = self._index
        self._index += 1
        lines = self._lines
        stmt.line, stmt.end = lines[max(0, min(self._at, len(lines) - 1))]
        for ordinal, expr in enumerate(self._fresh):
            expr.stmt = stmt
            expr.ord = ordinal
        if self._places is not None:
            self._places[index, -1] = node
            for ordinal, origin in enumerate(self._nodes):
                self._places[index, ordinal] = origin
        self._fresh.clear()
        self._nodes.clear()
        return stmt

    def statements(self, nodes: Iterable[cst.CSTNode]) -> list[ir.Stmt]:
        result: list[ir.Stmt] = []
        for node in nodes:
            if node.__class__ is cst.SimpleStatementLine:
                self.next_line()
                self._small(node.body, result)
            else:
                result.append(self.compound(node))
        return result

    def suite(self, suite: cst.BaseSuite) -> list[ir.Stmt]:
        if isinstance(suite, cst.IndentedBlock):
            return self.statements(suite.body)
        result: list[ir.Stmt] = []
        self._small(suite.body, result)
        return result

    def _small(self, nodes: Iterable[cst.CSTNode], into: list[ir.Stmt]) -> None:
        for node in nodes:
            made = _SMALL.get(node.__class__, _unknown_small)(self, node)
            into.append(self.seal(made, node))

    def compound(self, node: cst.CSTNode) -> ir.Stmt:
        lower = _COMPOUND.get(node.__class__)
        if lower is not None:
            return lower(self, node)
        self.next_line()
        return self.seal(ir.UnknownStmt(tuple(parts_of(self, node)), ()), node)

    def clause(self, node: cst.CSTNode) -> ir.Stmt | ir.Handler | ir.Case | list[ir.Stmt]:
        """One clause of a compound: `elif` is a statement, `else` and `finally` a block."""
        if isinstance(node, (cst.ExceptHandler, cst.ExceptStarHandler)):
            return _handler(self, node)
        if isinstance(node, cst.MatchCase):
            return _case(self, node)
        if isinstance(node, (cst.Else, cst.Finally)):
            return _block(self, node)
        return self.compound(node)


# small statements


def _unknown_small(low: Lowering, node: cst.CSTNode) -> ir.Stmt:
    return ir.UnknownStmt(tuple(parts_of(low, node)), ())


def _expr(low: Lowering, node: cst.Expr) -> ir.Stmt:
    return ir.ExprStmt(low.expr(node.value))


def _assign(low: Lowering, node: cst.Assign) -> ir.Stmt:
    targets = tuple(low.expr(each.target) for each in node.targets)
    return ir.Assign(targets, low.expr(node.value))


def _aug_assign(low: Lowering, node: cst.AugAssign) -> ir.Stmt:
    return ir.AugAssign(low.expr(node.target), _AUGMENTED.get(node.operator.__class__, "?"), low.expr(node.value))


def _ann_assign(low: Lowering, node: cst.AnnAssign) -> ir.Stmt:
    return ir.AnnAssign(low.expr(node.target), low.expr(node.annotation.annotation), low.optional(node.value))


def _return(low: Lowering, node: cst.Return) -> ir.Stmt:
    return ir.Return(low.optional(node.value))


def _raise(low: Lowering, node: cst.Raise) -> ir.Stmt:
    return ir.Raise(low.optional(node.exc), low.optional(node.cause.item if node.cause is not None else None))


def _assert(low: Lowering, node: cst.Assert) -> ir.Stmt:
    return ir.Assert(low.expr(node.test), low.optional(node.msg))


def _delete(low: Lowering, node: cst.Del) -> ir.Stmt:
    if isinstance(node.target, cst.Tuple) and not node.target.lpar:
        return ir.Delete(tuple(low.expr(each.value) for each in node.target.elements))
    return ir.Delete((low.expr(node.target),))


def _import(low: Lowering, node: cst.Import) -> ir.Stmt:
    return ir.Import(_aliases(node.names))


def _import_from(low: Lowering, node: cst.ImportFrom) -> ir.Stmt:
    names = None if isinstance(node.names, cst.ImportStar) else _aliases(node.names)
    return ir.ImportFrom(_dotted(node.module) if node.module is not None else "", len(node.relative), names)


def _aliases(nodes: Iterable[cst.ImportAlias]) -> tuple[tuple[str, str | None], ...]:
    return tuple((_dotted(each.name), _bound(each.asname)) for each in nodes)


def _bound(node: cst.AsName | None) -> str | None:
    return node.name.value if node is not None and isinstance(node.name, cst.Name) else None


def _dotted(node: cst.CSTNode) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(node.value)
    return ".".join(reversed(parts))


def _global(low: Lowering, node: cst.Global) -> ir.Stmt:
    return ir.Scope("global", tuple(each.name.value for each in node.names))


def _nonlocal(low: Lowering, node: cst.Nonlocal) -> ir.Stmt:
    return ir.Scope("nonlocal", tuple(each.name.value for each in node.names))


def _type_alias(low: Lowering, node: cst.TypeAlias) -> ir.Stmt:
    return ir.TypeAliasStmt(node.name.value, low.expr(node.value))


# compound statements: header first, then bodies, so that logical lines are met in order


def _block(low: Lowering, node: cst.Else | cst.Finally | None) -> list[ir.Stmt]:
    if node is None:
        return []
    low.next_line()
    return low.suite(node.body)


def _if(low: Lowering, node: cst.If) -> ir.Stmt:
    """`elif`s nest; they are walked in a loop, so that their number costs no recursion."""
    first: ir.If | None = None
    last: ir.If | None = None
    current: cst.If | cst.Else | None = node
    while isinstance(current, cst.If):
        low.next_line()
        made = low.seal(ir.If(low.expr(current.test), [], []), current)
        made.body = low.suite(current.body)
        if last is not None:
            last.orelse = [made]
        first = first or made
        last = made
        current = current.orelse
    assert first is not None
    assert last is not None
    last.orelse = _block(low, current)
    return first


def _for(low: Lowering, node: cst.For) -> ir.Stmt:
    low.next_line()
    target = low.expr(node.target)
    made = low.seal(ir.For(target, low.expr(node.iter), [], [], node.asynchronous is not None), node)
    made.body = low.suite(node.body)
    made.orelse = _block(low, node.orelse)
    return made


def _while(low: Lowering, node: cst.While) -> ir.Stmt:
    low.next_line()
    made = low.seal(ir.While(low.expr(node.test), [], []), node)
    made.body = low.suite(node.body)
    made.orelse = _block(low, node.orelse)
    return made


def _with(low: Lowering, node: cst.With) -> ir.Stmt:
    low.next_line()
    items: list[tuple[ir.Expr, ir.Expr | None]] = []
    for item in node.items:
        context = low.expr(item.item)
        items.append((context, low.expr(item.asname.name) if item.asname is not None else None))
    made = low.seal(ir.With(tuple(items), [], node.asynchronous is not None), node)
    made.body = low.suite(node.body)
    return made


def _try(low: Lowering, node: cst.Try | cst.TryStar) -> ir.Stmt:
    low.next_line()
    made = low.seal(ir.Try([], (), [], []), node)
    made.body = low.suite(node.body)
    made.handlers = tuple(_handler(low, each) for each in node.handlers)
    made.orelse = _block(low, node.orelse)
    made.final = _block(low, node.finalbody)
    return made


def _handler(low: Lowering, node: cst.ExceptHandler | cst.ExceptStarHandler) -> ir.Handler:
    """The type belongs to a statement of its own, so that its line is that of the `except`."""
    low.next_line()
    kind = low.optional(node.type)
    low.seal(ir.UnknownStmt((kind,) if kind is not None else (), ()), node)
    return ir.Handler(kind, _bound(node.name), low.suite(node.body))


def _definition(low: Lowering, decorators: Sequence[cst.Decorator]) -> tuple[ir.Expr, ...]:
    made: list[ir.Expr] = []
    for each in decorators:
        low.next_line()
        made.append(low.expr(each.decorator))
    low.next_line()
    return tuple(made)


def _function(low: Lowering, node: cst.FunctionDef) -> ir.Stmt:
    decorators = _definition(low, node.decorators)
    names = params(low, node.params)
    returns = low.expr(node.returns.annotation) if node.returns is not None else None
    is_async = node.asynchronous is not None
    made = low.seal(ir.FunctionDef(node.name.value, names, [], decorators, returns, is_async), node)
    made.body = low.suite(node.body)
    return made


def _class(low: Lowering, node: cst.ClassDef) -> ir.Stmt:
    decorators = _definition(low, node.decorators)
    bases = tuple(argument(low, each) for each in node.bases)
    _, keywords = arguments(low, node.keywords)
    made = low.seal(ir.ClassDef(node.name.value, bases, keywords, [], decorators), node)
    made.body = low.suite(node.body)
    return made


def _match(low: Lowering, node: cst.Match) -> ir.Stmt:
    low.next_line()
    made = low.seal(ir.Match(low.expr(node.subject), ()), node)
    made.cases = tuple(_case(low, each) for each in node.cases)
    return made


def _case(low: Lowering, node: cst.MatchCase) -> ir.Case:
    """Pattern and guard belong to a statement of their own, so that their line is that of the `case`."""
    low.next_line()
    pattern = None
    if isinstance(node.pattern, (cst.MatchValue, cst.MatchSingleton)):
        pattern = low.expr(node.pattern.value)
    guard = low.optional(node.guard)
    low.seal(ir.UnknownStmt(tuple(each for each in (pattern, guard) if each is not None), ()), node)
    binds = tuple(dict.fromkeys(_captures(node.pattern)))
    return ir.Case(pattern, binds, guard, low.suite(node.body))


def _captures(node: cst.CSTNode) -> Iterable[str]:
    """The names that a pattern binds."""
    if isinstance(node, (cst.MatchAs, cst.MatchStar)) and node.name is not None:
        yield node.name.value
    if isinstance(node, cst.MatchMapping) and node.rest is not None:
        yield node.rest.value
    for child in node.children:
        if not isinstance(child, cst.BaseExpression):
            yield from _captures(child)


_AUGMENTED: dict[type, str] = {getattr(cst, f"{kind.__name__}Assign"): op for kind, op in BINARY.items()}
_SMALL: dict[type, Callable[[Lowering, Any], ir.Stmt]] = {
    cst.AnnAssign: _ann_assign,
    cst.Assert: _assert,
    cst.Assign: _assign,
    cst.AugAssign: _aug_assign,
    cst.Break: lambda low, node: ir.Break(),
    cst.Continue: lambda low, node: ir.Continue(),
    cst.Del: _delete,
    cst.Expr: _expr,
    cst.Global: _global,
    cst.Import: _import,
    cst.ImportFrom: _import_from,
    cst.Nonlocal: _nonlocal,
    cst.Pass: lambda low, node: ir.Pass(),
    cst.Raise: _raise,
    cst.Return: _return,
    cst.TypeAlias: _type_alias,
}
_COMPOUND: dict[type, Callable[[Lowering, Any], ir.Stmt]] = {
    cst.ClassDef: _class,
    cst.For: _for,
    cst.FunctionDef: _function,
    cst.If: _if,
    cst.Match: _match,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.While: _while,
    cst.With: _with,
}
# explicit lazy imports (PEP 810) came with libcst 1.9
if hasattr(cst, "LazyImport"):
    _SMALL[cst.LazyImport] = _import
if hasattr(cst, "LazyImportFrom"):
    _SMALL[cst.LazyImportFrom] = _import_from
