"""Lowers libcst expressions to the IR. A construct without an entry becomes UnknownExpr with its parts.

Every function takes the lowering in progress and a libcst node; `Lowering.expr` numbers what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import libcst as cst

from trainlint.syntax import ir, literals

if TYPE_CHECKING:
    from trainlint.syntax.lower import Lowering

BINARY: dict[type, str] = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/", cst.FloorDivide: "//", cst.Modulo: "%",
    cst.Power: "**", cst.MatrixMultiply: "@", cst.LeftShift: "<<", cst.RightShift: ">>", cst.BitAnd: "&",
    cst.BitOr: "|", cst.BitXor: "^",
}  # fmt: skip
_UNARY: dict[type, str] = {cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~", cst.Not: "not"}
_COMPARE: dict[type, str] = {
    cst.Equal: "==", cst.NotEqual: "!=", cst.LessThan: "<", cst.LessThanEqual: "<=", cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=", cst.Is: "is", cst.IsNot: "is not", cst.In: "in", cst.NotIn: "not in",
}  # fmt: skip
_NAMED: dict[str, object] = {"True": True, "False": False, "None": None}
_KINDS: dict[type, Literal["tuple", "list", "set", "dict", "generator"]] = {
    cst.Tuple: "tuple", cst.List: "list", cst.Set: "set", cst.ListComp: "list", cst.SetComp: "set",
    cst.DictComp: "dict", cst.GeneratorExp: "generator",
}  # fmt: skip


def unknown(low: Lowering, node: cst.CSTNode) -> ir.Expr:
    return ir.UnknownExpr(tuple(parts_of(low, node)))


def parts_of(low: Lowering, node: cst.CSTNode) -> Iterable[ir.Expr]:
    """The outermost expressions inside a node of any kind, lowered."""
    for child in node.children:
        if isinstance(child, cst.BaseExpression):
            yield low.expr(child)
        else:
            yield from parts_of(low, child)


def _name(low: Lowering, node: cst.Name) -> ir.Expr:
    name = node.value
    return ir.Const(_NAMED[name]) if name in _NAMED else ir.Name(name)


def _number(low: Lowering, node: cst.Integer | cst.Float | cst.Imaginary) -> ir.Expr:
    try:
        return ir.Const(literals.number(node.value))
    except ValueError:
        return ir.UnknownExpr(())


def _ellipsis(low: Lowering, node: cst.Ellipsis) -> ir.Expr:
    return ir.Const(...)


def _string(low: Lowering, node: cst.SimpleString) -> ir.Expr:
    try:
        return ir.Const(literals.string(node.value))
    except (ValueError, OverflowError):
        return ir.UnknownExpr(())


def _concatenated(low: Lowering, node: cst.ConcatenatedString) -> ir.Expr:
    """Plain parts fold to one constant; with an f-string among them the whole is one."""
    pieces: list[cst.CSTNode] = []
    rest: cst.CSTNode = node
    while isinstance(rest, cst.ConcatenatedString):
        pieces.append(rest.left)
        rest = rest.right
    pieces.append(rest)
    parts: list[str | ir.Expr] = []
    plain: list[str | bytes] = []
    for piece in pieces:
        if isinstance(piece, cst.SimpleString):
            try:
                plain.append(literals.string(piece.value))
            except (ValueError, OverflowError):
                return ir.UnknownExpr(())
            if isinstance(plain[-1], str):
                parts.append(plain[-1])
        else:
            parts.extend(_parts(low, piece))
    if len(plain) < len(pieces):
        return ir.FString(tuple(parts))
    if all(isinstance(each, bytes) for each in plain):
        return ir.Const(b"".join(each for each in plain if isinstance(each, bytes)))
    if all(isinstance(each, str) for each in plain):
        return ir.Const("".join(each for each in plain if isinstance(each, str)))
    return ir.UnknownExpr(())


def _formatted(low: Lowering, node: cst.FormattedString) -> ir.Expr:
    return ir.FString(tuple(_parts(low, node)))


def _parts(low: Lowering, node: Any) -> Iterable[str | ir.Expr]:
    """Text and values of an f-string or t-string.

    A value that is not simply `str()` of its expression (conversion, format or `=`) is wrapped as UnknownExpr, together
    with the values of its format.
    """
    raw = "r" in node.start.lower()
    for part in node.parts:
        if hasattr(part, "expression"):
            value = low.expr(part.expression)
            spec = part.format_spec
            if part.conversion is None and spec is None and part.equal is None:
                yield value
                continue
            inner = [low.expr(each.expression) for each in _fields(spec or ())]
            yield low.mark(ir.UnknownExpr((value, *inner)), part)
        else:
            text = part.value.replace("{{", "{").replace("}}", "}")
            try:
                yield text if raw else literals.unescape(text)
            except (ValueError, OverflowError):
                yield low.mark(ir.UnknownExpr(()), part)


def _fields(spec: Iterable[Any]) -> Iterable[Any]:
    for part in spec:
        if hasattr(part, "expression"):
            yield part
            yield from _fields(part.format_spec or ())


def _attribute(low: Lowering, node: cst.Attribute) -> ir.Expr:
    return ir.Attr(low.expr(node.value), node.attr.value)


def argument(low: Lowering, node: cst.Arg) -> ir.Expr:
    """A positional argument, in a Star where it is spilled."""
    value = low.expr(node.value)
    return low.mark(ir.Star(value), node) if node.star == "*" else value


def arguments(
    low: Lowering, nodes: Iterable[cst.Arg]
) -> tuple[tuple[ir.Expr, ...], tuple[tuple[str | None, ir.Expr], ...]]:
    """Positional and keyword arguments, in order."""
    positional: list[ir.Expr] = []
    keywords: list[tuple[str | None, ir.Expr]] = []
    for node in nodes:
        if node.keyword is not None:
            keywords.append((node.keyword.value, low.expr(node.value)))
        elif node.star == "**":
            keywords.append((None, low.expr(node.value)))
        else:
            positional.append(argument(low, node))
    return tuple(positional), tuple(keywords)


def _call(low: Lowering, node: cst.Call) -> ir.Expr:
    func = low.expr(node.func)
    if isinstance(func, ir.Name):
        low.called.add(func.id)
    elif isinstance(func, ir.Attr):
        low.called.add(func.name)
    return ir.Call(func, *arguments(low, node.args))


def _binary(low: Lowering, node: cst.BinaryOperation) -> ir.Expr:
    """A long chain nests to the left: it is walked in a loop, so that its length costs no recursion."""
    chain: list[cst.BinaryOperation] = [node]
    while chain[-1].left.__class__ is cst.BinaryOperation:
        chain.append(chain[-1].left)
    made = low.expr(chain[-1].left)
    while chain:
        operation = chain.pop()
        right = low.expr(operation.right)
        made = ir.BinOp(BINARY.get(operation.operator.__class__, "?"), made, right)
        if chain:
            low.mark(made, operation)
    return made


def _unary(low: Lowering, node: cst.UnaryOperation) -> ir.Expr:
    return ir.UnaryOp(_UNARY.get(node.operator.__class__, "?"), low.expr(node.expression))


def _boolean(low: Lowering, node: cst.BooleanOperation) -> ir.Expr:
    left = low.expr(node.left)
    return ir.BoolOp("and" if isinstance(node.operator, cst.And) else "or", left, low.expr(node.right))


def _comparison(low: Lowering, node: cst.Comparison) -> ir.Expr:
    left = low.expr(node.left)
    ops = tuple(_COMPARE.get(each.operator.__class__, "?") for each in node.comparisons)
    return ir.Compare(left, ops, tuple(low.expr(each.comparator) for each in node.comparisons))


def _subscript(low: Lowering, node: cst.Subscript) -> ir.Expr:
    value = low.expr(node.value)
    parts = tuple(_index(low, each) for each in node.slice)
    alone = len(parts) == 1 and not isinstance(parts[0], ir.Star) and not isinstance(node.slice[0].comma, cst.Comma)
    return ir.Subscript(value, parts[0] if alone else low.mark(ir.Sequence("tuple", parts), node.slice[0]))


def _index(low: Lowering, element: cst.SubscriptElement) -> ir.Expr:
    inner: Any = element.slice
    if isinstance(inner, cst.Index):
        value = low.expr(inner.value)
        return low.mark(ir.Star(value), inner) if inner.star else value
    bounds = [low.optional(each) for each in (inner.lower, inner.upper, inner.step)]
    return low.mark(ir.Slice(*bounds), inner)


def _star(low: Lowering, node: cst.StarredElement) -> ir.Expr:
    return ir.Star(low.expr(node.value))


def _element(low: Lowering, node: cst.BaseElement) -> ir.Expr:
    return low.expr(node if isinstance(node, cst.StarredElement) else node.value)


def _display(low: Lowering, node: cst.Tuple | cst.List | cst.Set) -> ir.Expr:
    kind: Any = _KINDS[node.__class__]
    return ir.Sequence(kind, tuple(_element(low, each) for each in node.elements))


def _dict(low: Lowering, node: cst.Dict) -> ir.Expr:
    keys: list[ir.Expr | None] = []
    values: list[ir.Expr] = []
    for element in node.elements:
        keys.append(low.expr(element.key) if isinstance(element, cst.DictElement) else None)
        values.append(low.expr(element.value))
    return ir.Dict(tuple(keys), tuple(values))


def _conditional(low: Lowering, node: cst.IfExp) -> ir.Expr:
    return ir.IfExp(low.expr(node.test), low.expr(node.body), low.expr(node.orelse))


def params(low: Lowering, node: cst.Parameters) -> tuple[ir.Param, ...]:
    """Parameters in order; the place of each is that of its name."""
    found: list[tuple[cst.Param, ir.ParamKind]] = [(each, "positional") for each in node.posonly_params]
    found += [(each, "normal") for each in node.params]
    if isinstance(node.star_arg, cst.Param):
        found.append((node.star_arg, "star"))
    found += [(each, "keyword") for each in node.kwonly_params]
    if node.star_kwarg is not None:
        found.append((node.star_kwarg, "starstar"))
    result: list[ir.Param] = []
    for param, kind in found:
        annotation = low.expr(param.annotation.annotation) if param.annotation is not None else None
        default = low.optional(param.default)
        name = param.name.value
        result.append(ir.Param(name, kind, default, annotation, low.mark(ir.Name(name), param.name)))
    return tuple(result)


def _lambda(low: Lowering, node: cst.Lambda) -> ir.Expr:
    names = params(low, node.params)
    return ir.Lambda(names, low.expr(node.body))


def _comprehension(low: Lowering, node: Any) -> ir.Expr:
    kind: Any = _KINDS[node.__class__]
    key = low.expr(node.key) if isinstance(node, cst.DictComp) else None
    elt = low.expr(node.value if kind == "dict" else node.elt)
    clauses: list[ir.CompFor] = []
    clause: cst.CompFor | None = node.for_in
    while clause is not None:
        target, over = low.expr(clause.target), low.expr(clause.iter)
        ifs = tuple(low.expr(each.test) for each in clause.ifs)
        clauses.append(ir.CompFor(target, over, ifs, clause.asynchronous is not None))
        clause = clause.inner_for_in
    return ir.Comp(kind, key, elt, tuple(clauses))


def _await(low: Lowering, node: cst.Await) -> ir.Expr:
    return ir.Await(low.expr(node.expression))


def _yield(low: Lowering, node: cst.Yield) -> ir.Expr:
    value = node.value
    if isinstance(value, cst.From):
        return ir.Yield(low.expr(value.item), True)
    return ir.Yield(low.optional(value), False)


def _named(low: Lowering, node: cst.NamedExpr) -> ir.Expr:
    target = low.expr(node.target)
    return ir.NamedExpr(target, low.expr(node.value))


EXPRESSIONS: dict[type, Callable[[Lowering, Any], ir.Expr]] = {
    cst.Attribute: _attribute,
    cst.Await: _await,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _boolean,
    cst.Call: _call,
    cst.Comparison: _comparison,
    cst.ConcatenatedString: _concatenated,
    cst.Dict: _dict,
    cst.DictComp: _comprehension,
    cst.Ellipsis: _ellipsis,
    cst.Float: _number,
    cst.FormattedString: _formatted,
    cst.GeneratorExp: _comprehension,
    cst.IfExp: _conditional,
    cst.Imaginary: _number,
    cst.Integer: _number,
    cst.Lambda: _lambda,
    cst.List: _display,
    cst.ListComp: _comprehension,
    cst.Name: _name,
    cst.NamedExpr: _named,
    cst.Set: _display,
    cst.SetComp: _comprehension,
    cst.SimpleString: _string,
    cst.StarredElement: _star,
    cst.Subscript: _subscript,
    cst.Tuple: _display,
    cst.UnaryOperation: _unary,
    cst.Yield: _yield,
}
# template strings came with libcst 1.8.3
if hasattr(cst, "TemplatedString"):
    EXPRESSIONS[cst.TemplatedString] = _formatted
# `{**each for each in many}` (PEP 798) came with libcst 1.9: a dict comprehension without key
if hasattr(cst, "StarredDictComp"):
    _KINDS[cst.StarredDictComp] = "dict"
    EXPRESSIONS[cst.StarredDictComp] = _comprehension
