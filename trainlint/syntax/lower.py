"""Lowers a libcst tree to the IR. Every construct of Python 3.8 to 3.14 has an entry; others become Unknown."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import libcst as cst

from trainlint.syntax import ir

_BINARY = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "FloorDivide": "//", "Modulo": "%", "Power": "**",
    "MatrixMultiply": "@", "LeftShift": "<<", "RightShift": ">>", "BitAnd": "&", "BitOr": "|", "BitXor": "^",
}  # fmt: skip
_UNARY = {"Minus": "-", "Plus": "+", "BitInvert": "~", "Not": "not"}
_COMPARE = {
    "Equal": "==", "NotEqual": "!=", "LessThan": "<", "LessThanEqual": "<=", "GreaterThan": ">",
    "GreaterThanEqual": ">=", "Is": "is", "IsNot": "is not", "In": "in", "NotIn": "not in",
}  # fmt: skip
_NAMED = {"True": True, "False": False, "None": None}

_E = TypeVar("_E", bound=ir.Expr)


class Lowering:
    """Lowers the statements of one unit. `lines` are the (first, last) line offsets of its logical lines, in order.

    `nodes`, where given, collects (libcst node, statement index, ordinal) for the columns.
    """

    def __init__(
        self,
        unit: ir.Unit,
        lines: Sequence[tuple[int, int]],
        nodes: list[tuple[cst.CSTNode, int, int]] | None = None,
    ) -> None:
        self.unit = unit
        self.lines = lines
        self.nodes = nodes
        self.logical = -1
        self.statements = 0
        self.stmt: ir.Stmt = ir.Pass()
        self.ordinal = 0

    # placing

    def next_line(self) -> tuple[int, int]:
        """Go to the next logical line."""
        self.logical += 1
        if self.logical < len(self.lines):
            return self.lines[self.logical]
        return self.lines[-1] if self.lines else (0, 0)

    def here(self) -> tuple[int, int]:
        index = max(0, min(self.logical, len(self.lines) - 1))
        return self.lines[index] if self.lines else (0, 0)

    def place(self, stmt: ir.Stmt, node: cst.CSTNode, where: tuple[int, int]) -> Any:
        stmt.unit = self.unit
        stmt.line, stmt.end = where
        stmt.index = self.statements
        self.statements += 1
        if self.nodes is not None:
            self.nodes.append((node, stmt.index, -1))
        return stmt

    def put(self, expr: _E, node: cst.CSTNode) -> _E:
        expr.stmt = self.stmt
        expr.ord = self.ordinal
        self.ordinal += 1
        if self.nodes is not None:
            # the index of the statement is known once it is placed: see `begin`
            self.nodes.append((node, self.stmt.index, expr.ord))
        return expr

    def begin(self, stmt: ir.Stmt, node: cst.CSTNode, where: tuple[int, int]) -> None:
        """Start a statement: expressions lowered from now on belong to it."""
        self.place(stmt, node, where)
        self.stmt = stmt
        self.ordinal = 0

    # blocks

    def module(self, body: Sequence[cst.CSTNode]) -> list[ir.Stmt]:
        result: list[ir.Stmt] = []
        for node in body:
            self.statement(node, result)
        return result

    def suite(self, body: cst.BaseSuite) -> list[ir.Stmt]:
        result: list[ir.Stmt] = []
        if isinstance(body, cst.IndentedBlock):
            for node in body.body:
                self.statement(node, result)
        else:
            for small in body.body:
                self.small(small, result, self.here())
        return result

    def statement(self, node: cst.CSTNode, into: list[ir.Stmt]) -> None:
        if isinstance(node, cst.SimpleStatementLine):
            where = self.next_line()
            for small in node.body:
                self.small(small, into, where)
            return
        handler = _COMPOUND.get(node.__class__)
        if handler is None:
            stmt = ir.UnknownStmt((), ())
            self.begin(stmt, node, self.next_line())
            into.append(stmt)
            return
        into.append(handler(self, node))

    def small(self, node: cst.CSTNode, into: list[ir.Stmt], where: tuple[int, int]) -> None:
        handler = _SMALL.get(node.__class__)
        # an empty statement of the right class first, so that its expressions can point to it
        self.stmt = shell = object.__new__(_SHELLS.get(node.__class__, ir.UnknownStmt))
        self.ordinal = 0
        self.place(shell, node, where)
        if handler is not None:
            handler(self, node, shell)
        else:
            shell.__init__((), ())  # type: ignore[misc]
        into.append(shell)

    # expressions

    def expr(self, node: cst.CSTNode) -> ir.Expr:
        handler = _EXPR.get(node.__class__)
        if handler is None:
            return self.unknown(node)
        result = handler(self, node)
        return result

    def unknown(self, node: cst.CSTNode) -> ir.Expr:
        parts = [self.expr(child) for child in node.children if isinstance(child, cst.BaseExpression)]
        return self.put(ir.UnknownExpr(tuple(parts)), node)

    def optional(self, node: cst.CSTNode | None) -> ir.Expr | None:
        return None if node is None else self.expr(node)

    def params(self, params: cst.Parameters) -> tuple[ir.Param, ...]:
        result: list[ir.Param] = []

        def add(param: cst.Param, kind: ir.ParamKind) -> None:
            annotation = self.expr(param.annotation.annotation) if param.annotation is not None else None
            default = self.optional(param.default)
            name = self.put(ir.Name(param.name.value), param.name)
            result.append(ir.Param(param.name.value, kind, default, annotation, name))

        for param in params.posonly_params:
            add(param, "positional")
        for param in params.params:
            add(param, "normal")
        if isinstance(params.star_arg, cst.Param):
            add(params.star_arg, "star")
        for param in params.kwonly_params:
            add(param, "keyword")
        if params.star_kwarg is not None:
            add(params.star_kwarg, "starstar")
        return tuple(result)


# small statements: (lowering, node, shell) → fills the shell


def _s_expr(low: Lowering, node: cst.Expr, shell: Any) -> None:
    shell.__init__(low.expr(node.value))


def _s_assign(low: Lowering, node: cst.Assign, shell: Any) -> None:
    value = low.expr(node.value)
    shell.__init__(tuple(low.expr(t.target) for t in node.targets), value)


def _s_aug(low: Lowering, node: cst.AugAssign, shell: Any) -> None:
    value = low.expr(node.value)
    op = _BINARY.get(node.operator.__class__.__name__.removesuffix("Assign"), "?")
    shell.__init__(low.expr(node.target), op, value)


def _s_ann(low: Lowering, node: cst.AnnAssign, shell: Any) -> None:
    value = low.optional(node.value)
    shell.__init__(low.expr(node.target), low.expr(node.annotation.annotation), value)


def _s_return(low: Lowering, node: cst.Return, shell: Any) -> None:
    shell.__init__(low.optional(node.value))


def _s_raise(low: Lowering, node: cst.Raise, shell: Any) -> None:
    shell.__init__(low.optional(node.exc), low.optional(node.cause.item) if node.cause is not None else None)


def _s_assert(low: Lowering, node: cst.Assert, shell: Any) -> None:
    shell.__init__(low.expr(node.test), low.optional(node.msg))


def _s_del(low: Lowering, node: cst.Del, shell: Any) -> None:
    shell.__init__((low.expr(node.target),))


def _s_nothing(low: Lowering, node: cst.CSTNode, shell: Any) -> None:
    return None


def _s_import(low: Lowering, node: cst.Import, shell: Any) -> None:
    shell.__init__(tuple((_dotted(a.name), _alias(a)) for a in node.names))


def _s_import_from(low: Lowering, node: cst.ImportFrom, shell: Any) -> None:
    module = _dotted(node.module) if node.module is not None else ""
    names = None
    if not isinstance(node.names, cst.ImportStar):
        names = tuple((_dotted(a.name), _alias(a)) for a in node.names)
    shell.__init__(module, len(node.relative), names)


def _s_global(low: Lowering, node: cst.Global | cst.Nonlocal, shell: Any) -> None:
    kind = "global" if isinstance(node, cst.Global) else "nonlocal"
    shell.__init__(kind, tuple(item.name.value for item in node.names))


def _s_type_alias(low: Lowering, node: cst.TypeAlias, shell: Any) -> None:
    shell.__init__(node.name.value, low.expr(node.value))


def _alias(node: cst.ImportAlias) -> str | None:
    return node.asname.name.value if node.asname is not None and isinstance(node.asname.name, cst.Name) else None


def _dotted(node: cst.CSTNode) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(node.value)
    return ".".join(reversed(parts))


# compound statements


def _c_if(low: Lowering, node: cst.If) -> ir.Stmt:
    shell = object.__new__(ir.If)
    low.begin(shell, node, low.next_line())
    test = low.expr(node.test)
    body = low.suite(node.body)
    orelse: list[ir.Stmt] = []
    if isinstance(node.orelse, cst.If):
        orelse = [_c_if(low, node.orelse)]
    elif node.orelse is not None:
        low.next_line()
        orelse = low.suite(node.orelse.body)
    ir.If.__init__(shell, test, body, orelse)
    return shell


def _orelse(low: Lowering, node: cst.Else | None) -> list[ir.Stmt]:
    if node is None:
        return []
    low.next_line()
    return low.suite(node.body)


def _c_for(low: Lowering, node: cst.For) -> ir.Stmt:
    shell = object.__new__(ir.For)
    low.begin(shell, node, low.next_line())
    over = low.expr(node.iter)
    target = low.expr(node.target)
    body = low.suite(node.body)
    ir.For.__init__(shell, target, over, body, _orelse(low, node.orelse), node.asynchronous is not None)
    return shell


def _c_while(low: Lowering, node: cst.While) -> ir.Stmt:
    shell = object.__new__(ir.While)
    low.begin(shell, node, low.next_line())
    test = low.expr(node.test)
    body = low.suite(node.body)
    ir.While.__init__(shell, test, body, _orelse(low, node.orelse))
    return shell


def _c_with(low: Lowering, node: cst.With) -> ir.Stmt:
    shell = object.__new__(ir.With)
    low.begin(shell, node, low.next_line())
    items = tuple((low.expr(i.item), low.optional(i.asname.name) if i.asname is not None else None) for i in node.items)
    ir.With.__init__(shell, items, low.suite(node.body), node.asynchronous is not None)
    return shell


def _c_try(low: Lowering, node: cst.Try | cst.TryStar) -> ir.Stmt:
    shell = object.__new__(ir.Try)
    low.begin(shell, node, low.next_line())
    ordinal = 0
    body = low.suite(node.body)
    handlers = []
    for handler in node.handlers:
        low.next_line()
        low.stmt, low.ordinal = shell, ordinal
        kind = low.optional(handler.type)
        ordinal = low.ordinal
        name = handler.name.name.value if handler.name is not None and isinstance(handler.name.name, cst.Name) else None
        handlers.append(ir.Handler(kind, name, low.suite(handler.body)))
    orelse = _orelse(low, node.orelse)
    final: list[ir.Stmt] = []
    if node.finalbody is not None:
        low.next_line()
        final = low.suite(node.finalbody.body)
    ir.Try.__init__(shell, body, tuple(handlers), orelse, final)
    return shell


def _c_def(low: Lowering, node: cst.FunctionDef) -> ir.Stmt:
    shell = object.__new__(ir.FunctionDef)
    for _ in node.decorators:
        low.next_line()
    low.begin(shell, node, low.next_line())
    decorators = tuple(low.expr(d.decorator) for d in node.decorators)
    params = low.params(node.params)
    returns = low.expr(node.returns.annotation) if node.returns is not None else None
    body = low.suite(node.body)
    ir.FunctionDef.__init__(shell, node.name.value, params, body, decorators, returns, node.asynchronous is not None)
    return shell


def _c_class(low: Lowering, node: cst.ClassDef) -> ir.Stmt:
    shell = object.__new__(ir.ClassDef)
    for _ in node.decorators:
        low.next_line()
    low.begin(shell, node, low.next_line())
    decorators = tuple(low.expr(d.decorator) for d in node.decorators)
    bases = tuple(_argument(low, b) for b in node.bases)
    keywords = tuple((k.keyword.value if k.keyword is not None else None, low.expr(k.value)) for k in node.keywords)
    ir.ClassDef.__init__(shell, node.name.value, bases, keywords, low.suite(node.body), decorators)
    return shell


def _c_match(low: Lowering, node: cst.Match) -> ir.Stmt:
    shell = object.__new__(ir.Match)
    low.begin(shell, node, low.next_line())
    subject = low.expr(node.subject)
    ordinal = low.ordinal
    cases = []
    for case in node.cases:
        low.next_line()
        low.stmt, low.ordinal = shell, ordinal
        pattern = low.expr(case.pattern.value) if isinstance(case.pattern, cst.MatchValue) else None
        guard = low.optional(case.guard)
        ordinal = low.ordinal
        binds: list[str] = []
        _pattern_names(case.pattern, binds)
        cases.append(ir.Case(pattern, tuple(binds), guard, low.suite(case.body)))
    ir.Match.__init__(shell, subject, tuple(cases))
    return shell


def _pattern_names(node: cst.CSTNode, into: list[str]) -> None:
    """The names that a pattern binds."""
    if isinstance(node, (cst.MatchAs, cst.MatchStar)) and node.name is not None:
        into.append(node.name.value)
    if isinstance(node, cst.MatchMapping) and node.rest is not None:
        into.append(node.rest.value)
    for child in node.children:
        if not isinstance(child, cst.BaseExpression):
            _pattern_names(child, into)


# expressions


def _argument(low: Lowering, node: cst.Arg) -> ir.Expr:
    value = low.expr(node.value)
    return low.put(ir.Star(value), node) if node.star else value


def _e_name(low: Lowering, node: cst.Name) -> ir.Expr:
    if node.value in _NAMED:
        return low.put(ir.Const(_NAMED[node.value]), node)
    return low.put(ir.Name(node.value), node)


def _e_number(low: Lowering, node: cst.Integer | cst.Float | cst.Imaginary) -> ir.Expr:
    try:
        value = ast.literal_eval(node.value)
    except (ValueError, SyntaxError, MemoryError):
        return low.put(ir.UnknownExpr(()), node)
    return low.put(ir.Const(value), node)


def _text(node: cst.CSTNode) -> str | bytes | None:
    """The value of plain string literals, joined; None where an f-string is among them."""
    if isinstance(node, cst.SimpleString):
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, SyntaxError, MemoryError):
            return None
        return value if isinstance(value, (str, bytes)) else None
    if isinstance(node, cst.ConcatenatedString):
        left, right = _text(node.left), _text(node.right)
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, bytes) and isinstance(right, bytes):
            return left + right
    return None


def _e_string(low: Lowering, node: cst.SimpleString | cst.ConcatenatedString) -> ir.Expr:
    value = _text(node)
    if value is not None:
        return low.put(ir.Const(value), node)
    parts: list[str | ir.Expr] = []
    _string_parts(low, node, parts)
    return low.put(ir.FString(tuple(parts)), node)


def _string_parts(low: Lowering, node: cst.CSTNode, into: list[str | ir.Expr]) -> None:
    if isinstance(node, cst.ConcatenatedString):
        _string_parts(low, node.left, into)
        _string_parts(low, node.right, into)
    elif isinstance(node, cst.SimpleString):
        value = _text(node)
        into.append(value if isinstance(value, str) else "")
    else:
        _format_parts(low, getattr(node, "parts", ()), into)


def _format_parts(low: Lowering, parts: Sequence[cst.CSTNode], into: list[str | ir.Expr]) -> None:
    for part in parts:
        expression = getattr(part, "expression", None)
        if expression is not None:
            into.append(low.expr(expression))
            spec = getattr(part, "format_spec", None)
            if spec:
                _format_parts(low, spec, into)
        else:
            text = getattr(part, "value", "")
            into.append(text if isinstance(text, str) else "")


def _e_fstring(low: Lowering, node: cst.CSTNode) -> ir.Expr:
    parts: list[str | ir.Expr] = []
    _format_parts(low, getattr(node, "parts", ()), parts)
    return low.put(ir.FString(tuple(parts)), node)


def _e_attribute(low: Lowering, node: cst.Attribute) -> ir.Expr:
    return low.put(ir.Attr(low.expr(node.value), node.attr.value), node)


def _e_call(low: Lowering, node: cst.Call) -> ir.Expr:
    func = low.expr(node.func)
    if isinstance(func, ir.Name):
        low.unit.called.add(func.id)
    elif isinstance(func, ir.Attr):
        low.unit.called.add(func.name)
    args: list[ir.Expr] = []
    keywords: list[tuple[str | None, ir.Expr]] = []
    for arg in node.args:
        if arg.keyword is not None:
            keywords.append((arg.keyword.value, low.expr(arg.value)))
        elif arg.star == "**":
            keywords.append((None, low.expr(arg.value)))
        else:
            args.append(_argument(low, arg))
    return low.put(ir.Call(func, tuple(args), tuple(keywords)), node)


def _e_binary(low: Lowering, node: cst.BinaryOperation) -> ir.Expr:
    left, right = low.expr(node.left), low.expr(node.right)
    op = _BINARY.get(node.operator.__class__.__name__, "?")
    return low.put(ir.BinOp(op, left, right), node)


def _e_unary(low: Lowering, node: cst.UnaryOperation) -> ir.Expr:
    op = _UNARY.get(node.operator.__class__.__name__, "?")
    return low.put(ir.UnaryOp(op, low.expr(node.expression)), node)


def _e_boolean(low: Lowering, node: cst.BooleanOperation) -> ir.Expr:
    left, right = low.expr(node.left), low.expr(node.right)
    op = "and" if isinstance(node.operator, cst.And) else "or"
    return low.put(ir.BoolOp(op, left, right), node)


def _e_comparison(low: Lowering, node: cst.Comparison) -> ir.Expr:
    left = low.expr(node.left)
    ops = tuple(_COMPARE.get(c.operator.__class__.__name__, "?") for c in node.comparisons)
    rights = tuple(low.expr(c.comparator) for c in node.comparisons)
    return low.put(ir.Compare(left, ops, rights), node)


def _e_subscript(low: Lowering, node: cst.Subscript) -> ir.Expr:
    value = low.expr(node.value)
    parts = [_index(low, element) for element in node.slice]
    if len(parts) == 1 and not isinstance(parts[0], ir.Star):
        index = parts[0]
    else:
        index = low.put(ir.Sequence("tuple", tuple(parts)), node.slice[0])
    return low.put(ir.Subscript(value, index), node)


def _index(low: Lowering, element: cst.SubscriptElement) -> ir.Expr:
    inner = element.slice
    if isinstance(inner, cst.Index):
        value = low.expr(inner.value)
        return low.put(ir.Star(value), inner) if inner.star else value
    if not isinstance(inner, cst.Slice):
        return low.unknown(inner)
    lower, upper, step = (low.optional(part) for part in (inner.lower, inner.upper, inner.step))
    return low.put(ir.Slice(lower, upper, step), inner)


def _e_sequence(low: Lowering, node: cst.Tuple | cst.List | cst.Set) -> ir.Expr:
    kind: Literal["tuple", "list", "set"] = "tuple"
    if isinstance(node, cst.List):
        kind = "list"
    elif isinstance(node, cst.Set):
        kind = "set"
    elts = []
    for element in node.elements:
        value = low.expr(element.value)
        elts.append(low.put(ir.Star(value), element) if isinstance(element, cst.StarredElement) else value)
    return low.put(ir.Sequence(kind, tuple(elts)), node)


def _e_dict(low: Lowering, node: cst.Dict) -> ir.Expr:
    keys: list[ir.Expr | None] = []
    values: list[ir.Expr] = []
    for element in node.elements:
        keys.append(low.expr(element.key) if isinstance(element, cst.DictElement) else None)
        values.append(low.expr(element.value))
    return low.put(ir.Dict(tuple(keys), tuple(values)), node)


def _e_if(low: Lowering, node: cst.IfExp) -> ir.Expr:
    test, body, orelse = low.expr(node.test), low.expr(node.body), low.expr(node.orelse)
    return low.put(ir.IfExp(test, body, orelse), node)


def _e_lambda(low: Lowering, node: cst.Lambda) -> ir.Expr:
    params = low.params(node.params)
    return low.put(ir.Lambda(params, low.expr(node.body)), node)


def _e_comp(low: Lowering, node: cst.ListComp | cst.SetComp | cst.GeneratorExp | cst.DictComp) -> ir.Expr:
    kind: Literal["list", "set", "dict", "generator"] = "generator"
    key = None
    if isinstance(node, cst.DictComp):
        kind, key = "dict", low.expr(node.key)
        elt = low.expr(node.value)
    else:
        kind = "list" if isinstance(node, cst.ListComp) else "set" if isinstance(node, cst.SetComp) else "generator"
        elt = low.expr(node.elt)
    clauses = []
    clause: cst.CompFor | None = node.for_in
    while clause is not None:
        over, target = low.expr(clause.iter), low.expr(clause.target)
        tests = tuple(low.expr(test.test) for test in clause.ifs)
        clauses.append(ir.CompFor(target, over, tests, clause.asynchronous is not None))
        clause = clause.inner_for_in
    return low.put(ir.Comp(kind, key, elt, tuple(clauses)), node)


def _e_await(low: Lowering, node: cst.Await) -> ir.Expr:
    return low.put(ir.Await(low.expr(node.expression)), node)


def _e_yield(low: Lowering, node: cst.Yield) -> ir.Expr:
    value, is_from = node.value, isinstance(node.value, cst.From)
    inner = low.optional(value.item if isinstance(value, cst.From) else value)
    return low.put(ir.Yield(inner, is_from), node)


def _e_named(low: Lowering, node: cst.NamedExpr) -> ir.Expr:
    value = low.expr(node.value)
    return low.put(ir.NamedExpr(low.expr(node.target), value), node)


def _e_ellipsis(low: Lowering, node: cst.Ellipsis) -> ir.Expr:
    return low.put(ir.Const(...), node)


_SHELLS: dict[type, type[ir.Stmt]] = {
    cst.Expr: ir.ExprStmt,
    cst.Assign: ir.Assign,
    cst.AugAssign: ir.AugAssign,
    cst.AnnAssign: ir.AnnAssign,
    cst.Return: ir.Return,
    cst.Raise: ir.Raise,
    cst.Assert: ir.Assert,
    cst.Del: ir.Delete,
    cst.Pass: ir.Pass,
    cst.Break: ir.Break,
    cst.Continue: ir.Continue,
    cst.Import: ir.Import,
    cst.ImportFrom: ir.ImportFrom,
    cst.Global: ir.Scope,
    cst.Nonlocal: ir.Scope,
    cst.TypeAlias: ir.TypeAliasStmt,
}
_SMALL: dict[type, Callable[[Lowering, Any, Any], None]] = {
    cst.Expr: _s_expr,
    cst.Assign: _s_assign,
    cst.AugAssign: _s_aug,
    cst.AnnAssign: _s_ann,
    cst.Return: _s_return,
    cst.Raise: _s_raise,
    cst.Assert: _s_assert,
    cst.Del: _s_del,
    cst.Pass: _s_nothing,
    cst.Break: _s_nothing,
    cst.Continue: _s_nothing,
    cst.Import: _s_import,
    cst.ImportFrom: _s_import_from,
    cst.Global: _s_global,
    cst.Nonlocal: _s_global,
    cst.TypeAlias: _s_type_alias,
}
_COMPOUND: dict[type, Callable[[Lowering, Any], ir.Stmt]] = {
    cst.If: _c_if,
    cst.For: _c_for,
    cst.While: _c_while,
    cst.With: _c_with,
    cst.Try: _c_try,
    cst.TryStar: _c_try,
    cst.FunctionDef: _c_def,
    cst.ClassDef: _c_class,
    cst.Match: _c_match,
}
_EXPR: dict[type, Callable[[Lowering, Any], ir.Expr]] = {
    cst.Name: _e_name,
    cst.Integer: _e_number,
    cst.Float: _e_number,
    cst.Imaginary: _e_number,
    cst.SimpleString: _e_string,
    cst.ConcatenatedString: _e_string,
    cst.FormattedString: _e_fstring,
    cst.Attribute: _e_attribute,
    cst.Call: _e_call,
    cst.BinaryOperation: _e_binary,
    cst.UnaryOperation: _e_unary,
    cst.BooleanOperation: _e_boolean,
    cst.Comparison: _e_comparison,
    cst.Subscript: _e_subscript,
    cst.Tuple: _e_sequence,
    cst.List: _e_sequence,
    cst.Set: _e_sequence,
    cst.Dict: _e_dict,
    cst.IfExp: _e_if,
    cst.Lambda: _e_lambda,
    cst.ListComp: _e_comp,
    cst.SetComp: _e_comp,
    cst.GeneratorExp: _e_comp,
    cst.DictComp: _e_comp,
    cst.Await: _e_await,
    cst.Yield: _e_yield,
    cst.NamedExpr: _e_named,
    cst.Ellipsis: _e_ellipsis,
}
for _name in ("TemplatedString",):
    _template = getattr(cst, _name, None)
    if _template is not None:
        _EXPR[_template] = _e_fstring
