"""The intermediate representation: small picklable objects, one per Python construct, free of libcst.

Every expression knows its statement (`stmt`) and its ordinal inside it (`ord`); every statement knows the
`Unit` (the piece of text that was parsed as one) and its line offset there.  Absolute lines are therefore
`stmt.unit.line + stmt.line`: when an edit moves a unit, only `unit.line` changes.
Exact columns are computed on demand by `trainlint.syntax.columns.span`.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

ParamKind = Literal["positional", "normal", "star", "keyword", "starstar"]


class Unit:
    """A piece of source that was parsed in one go: at most about 24 lines, or the header of a larger compound.

    `text` is the source of the piece exactly as in the file (its own indentation kept); `line` is the
    1-based line of the file where `text` starts; `statements` are the statements of its outermost level in order;
    `called` are the names that calls in the piece are made by: `f` of `f(…)` and of `x.f(…)`.
    `spans` belongs to `trainlint.syntax.columns`.
    """

    __slots__ = ("__weakref__", "called", "line", "spans", "statements", "text")

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.line = line
        self.statements: list[Stmt] = []
        self.called: set[str] = set()
        self.spans: dict[tuple[int, int], tuple[int, int, int, int]] | None = None

    def file_line(self, offset: int) -> int:
        """The 1-based line of the file of a 0-based line of `text`."""
        return self.line + offset

    def source_lines(self) -> list[str]:
        """The lines of `text`, without their line ends."""
        return re.split(r"\r\n|\r|\n", self.text)


class Expr:
    """An expression. `ord` counts the expressions of one statement in lowering order."""

    __slots__ = ("ord", "stmt")
    stmt: Stmt
    ord: int


class Const(Expr):
    """A literal: int, float, complex, str, bytes, bool, None or Ellipsis.

    `meaning` belongs to the interpreter: the abstract value, which is the same each time.
    """

    __slots__ = ("meaning", "value")

    def __init__(self, value: object) -> None:
        self.value = value
        self.meaning: Any = None


class Name(Expr):
    __slots__ = ("id",)

    def __init__(self, id: str) -> None:
        self.id = id


class Attr(Expr):
    __slots__ = ("name", "value")

    def __init__(self, value: Expr, name: str) -> None:
        self.value = value
        self.name = name


class Star(Expr):
    """`*value` in a call, a display or an assignment target."""

    __slots__ = ("value",)

    def __init__(self, value: Expr) -> None:
        self.value = value


class Call(Expr):
    """`func(*args, **keywords)`; a keyword whose name is None is a `**` spill."""

    __slots__ = ("args", "func", "keywords")

    def __init__(self, func: Expr, args: tuple[Expr, ...], keywords: tuple[tuple[str | None, Expr], ...]) -> None:
        self.func = func
        self.args = args
        self.keywords = keywords


class BinOp(Expr):
    """op is the Python token: + - * / // % ** @ << >> & | ^."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: Expr, right: Expr) -> None:
        self.op = op
        self.left = left
        self.right = right


class UnaryOp(Expr):
    """op is one of - + ~ not."""

    __slots__ = ("op", "operand")

    def __init__(self, op: str, operand: Expr) -> None:
        self.op = op
        self.operand = operand


class BoolOp(Expr):
    """op is `and` or `or`."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: Expr, right: Expr) -> None:
        self.op = op
        self.left = left
        self.right = right


class Compare(Expr):
    """ops are Python tokens: == != < <= > >= is `is not` in `not in`."""

    __slots__ = ("comparators", "left", "ops")

    def __init__(self, left: Expr, ops: tuple[str, ...], comparators: tuple[Expr, ...]) -> None:
        self.left = left
        self.ops = ops
        self.comparators = comparators


class Subscript(Expr):
    """`value[index]`; several indices are a Tuple."""

    __slots__ = ("index", "value")

    def __init__(self, value: Expr, index: Expr) -> None:
        self.value = value
        self.index = index


class Slice(Expr):
    __slots__ = ("lower", "step", "upper")

    def __init__(self, lower: Expr | None, upper: Expr | None, step: Expr | None) -> None:
        self.lower = lower
        self.upper = upper
        self.step = step


class Sequence(Expr):
    """A display or target: kind is tuple, list or set."""

    __slots__ = ("elts", "kind")

    def __init__(self, kind: Literal["tuple", "list", "set"], elts: tuple[Expr, ...]) -> None:
        self.kind = kind
        self.elts = elts


class Dict(Expr):
    """A key of None is a `**` spill of the value beside it."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: tuple[Expr | None, ...], values: tuple[Expr, ...]) -> None:
        self.keys = keys
        self.values = values


class IfExp(Expr):
    __slots__ = ("body", "orelse", "test")

    def __init__(self, test: Expr, body: Expr, orelse: Expr) -> None:
        self.test = test
        self.body = body
        self.orelse = orelse


class Lambda(Expr):
    __slots__ = ("body", "params")

    def __init__(self, params: tuple[Param, ...], body: Expr) -> None:
        self.params = params
        self.body = body


class CompFor:
    __slots__ = ("ifs", "is_async", "iter", "target")

    def __init__(self, target: Expr, iter: Expr, ifs: tuple[Expr, ...], is_async: bool) -> None:
        self.target = target
        self.iter = iter
        self.ifs = ifs
        self.is_async = is_async


class Comp(Expr):
    """A comprehension: kind list, set, dict or generator; `key` only for dict; clauses outermost first."""

    __slots__ = ("clauses", "elt", "key", "kind")

    def __init__(
        self,
        kind: Literal["list", "set", "dict", "generator"],
        key: Expr | None,
        elt: Expr,
        clauses: tuple[CompFor, ...],
    ) -> None:
        self.kind = kind
        self.key = key
        self.elt = elt
        self.clauses = clauses


class FString(Expr):
    """parts are literal text (str) and expressions, in order (template strings too)."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[str | Expr, ...]) -> None:
        self.parts = parts


class Await(Expr):
    __slots__ = ("value",)

    def __init__(self, value: Expr) -> None:
        self.value = value


class Yield(Expr):
    """`yield value` or, with `is_from`, `yield from value`."""

    __slots__ = ("is_from", "value")

    def __init__(self, value: Expr | None, is_from: bool) -> None:
        self.value = value
        self.is_from = is_from


class NamedExpr(Expr):
    """`target := value`."""

    __slots__ = ("target", "value")

    def __init__(self, target: Expr, value: Expr) -> None:
        self.target = target
        self.value = value


class UnknownExpr(Expr):
    """A construct that the lowering does not know; its parts are kept so that names inside stay visible."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Expr, ...]) -> None:
        self.parts = parts


class Param:
    """A parameter; `expr` is a Name node that carries its place."""

    __slots__ = ("annotation", "default", "expr", "kind", "name")

    def __init__(self, name: str, kind: ParamKind, default: Expr | None, annotation: Expr | None, expr: Name) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.annotation = annotation
        self.expr = expr


class Stmt:
    """A statement. `line` and `end` are line offsets inside the unit: of the header of a compound, without its body.

    For a decorated definition `line` is the line of `def`/`class`.  `index` is unique inside the unit.
    The type of an `except` and the pattern and guard of a `case` belong to an UnknownStmt of their own that no block
    holds: its lines are those of the clause.
    """

    __slots__ = ("end", "index", "line", "unit")
    unit: Unit
    index: int
    line: int
    end: int

    @property
    def first_line(self) -> int:
        """1-based line of the file where the statement (its header) starts."""
        return self.unit.file_line(self.line)

    @property
    def last_line(self) -> int:
        """1-based line of the file where the statement's header ends."""
        return self.unit.file_line(self.end)


Block: TypeAlias = "list[Stmt]"


class ExprStmt(Stmt):
    __slots__ = ("value",)

    def __init__(self, value: Expr) -> None:
        self.value = value


class Assign(Stmt):
    __slots__ = ("targets", "value")

    def __init__(self, targets: tuple[Expr, ...], value: Expr) -> None:
        self.targets = targets
        self.value = value


class AugAssign(Stmt):
    """`target op= value`; op without the equals sign."""

    __slots__ = ("op", "target", "value")

    def __init__(self, target: Expr, op: str, value: Expr) -> None:
        self.target = target
        self.op = op
        self.value = value


class AnnAssign(Stmt):
    __slots__ = ("annotation", "target", "value")

    def __init__(self, target: Expr, annotation: Expr, value: Expr | None) -> None:
        self.target = target
        self.annotation = annotation
        self.value = value


class Return(Stmt):
    __slots__ = ("value",)

    def __init__(self, value: Expr | None) -> None:
        self.value = value


class Raise(Stmt):
    __slots__ = ("cause", "exc")

    def __init__(self, exc: Expr | None, cause: Expr | None) -> None:
        self.exc = exc
        self.cause = cause


class Assert(Stmt):
    __slots__ = ("msg", "test")

    def __init__(self, test: Expr, msg: Expr | None) -> None:
        self.test = test
        self.msg = msg


class Delete(Stmt):
    __slots__ = ("targets",)

    def __init__(self, targets: tuple[Expr, ...]) -> None:
        self.targets = targets


class Import(Stmt):
    """names: (dotted module, alias or None)."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[tuple[str, str | None], ...]) -> None:
        self.names = names


class ImportFrom(Stmt):
    """`from {level dots}{module} import names`; names is None for `*`."""

    __slots__ = ("level", "module", "names")

    def __init__(self, module: str, level: int, names: tuple[tuple[str, str | None], ...] | None) -> None:
        self.module = module
        self.level = level
        self.names = names


class Scope(Stmt):
    """`global` or `nonlocal` names."""

    __slots__ = ("kind", "names")

    def __init__(self, kind: Literal["global", "nonlocal"], names: tuple[str, ...]) -> None:
        self.kind = kind
        self.names = names


class Pass(Stmt):
    __slots__ = ()


class Break(Stmt):
    __slots__ = ()


class Continue(Stmt):
    __slots__ = ()


class TypeAliasStmt(Stmt):
    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Expr) -> None:
        self.name = name
        self.value = value


class If(Stmt):
    """`elif` is an If alone in `orelse`."""

    __slots__ = ("body", "orelse", "test")

    def __init__(self, test: Expr, body: Block, orelse: Block) -> None:
        self.test = test
        self.body = body
        self.orelse = orelse


class For(Stmt):
    __slots__ = ("body", "is_async", "iter", "orelse", "target")

    def __init__(self, target: Expr, iter: Expr, body: Block, orelse: Block, is_async: bool) -> None:
        self.target = target
        self.iter = iter
        self.body = body
        self.orelse = orelse
        self.is_async = is_async


class While(Stmt):
    __slots__ = ("body", "orelse", "test")

    def __init__(self, test: Expr, body: Block, orelse: Block) -> None:
        self.test = test
        self.body = body
        self.orelse = orelse


class With(Stmt):
    """items: (context expression, target or None)."""

    __slots__ = ("body", "is_async", "items")

    def __init__(self, items: tuple[tuple[Expr, Expr | None], ...], body: Block, is_async: bool) -> None:
        self.items = items
        self.body = body
        self.is_async = is_async


class Handler:
    __slots__ = ("body", "name", "type")

    def __init__(self, type: Expr | None, name: str | None, body: Block) -> None:
        self.type = type
        self.name = name
        self.body = body


class Try(Stmt):
    __slots__ = ("body", "final", "handlers", "orelse")

    def __init__(self, body: Block, handlers: tuple[Handler, ...], orelse: Block, final: Block) -> None:
        self.body = body
        self.handlers = handlers
        self.orelse = orelse
        self.final = final


class FunctionDef(Stmt):
    __slots__ = ("body", "decorators", "is_async", "name", "params", "returns")

    def __init__(
        self,
        name: str,
        params: tuple[Param, ...],
        body: Block,
        decorators: tuple[Expr, ...],
        returns: Expr | None,
        is_async: bool,
    ) -> None:
        self.name = name
        self.params = params
        self.body = body
        self.decorators = decorators
        self.returns = returns
        self.is_async = is_async


class ClassDef(Stmt):
    __slots__ = ("bases", "body", "decorators", "keywords", "name")

    def __init__(
        self,
        name: str,
        bases: tuple[Expr, ...],
        keywords: tuple[tuple[str | None, Expr], ...],
        body: Block,
        decorators: tuple[Expr, ...],
    ) -> None:
        self.name = name
        self.bases = bases
        self.keywords = keywords
        self.body = body
        self.decorators = decorators


class Case:
    """A `case`: the names its pattern binds, the pattern if it is a plain value, the guard, the body."""

    __slots__ = ("binds", "body", "guard", "pattern")

    def __init__(self, pattern: Expr | None, binds: tuple[str, ...], guard: Expr | None, body: Block) -> None:
        self.pattern = pattern
        self.binds = binds
        self.guard = guard
        self.body = body


class Match(Stmt):
    __slots__ = ("cases", "subject")

    def __init__(self, subject: Expr, cases: tuple[Case, ...]) -> None:
        self.subject = subject
        self.cases = cases


class UnknownStmt(Stmt):
    """A statement that the lowering does not know; `binds` are names it may bind."""

    __slots__ = ("binds", "parts")

    def __init__(self, parts: tuple[Expr, ...], binds: tuple[str, ...]) -> None:
        self.parts = parts
        self.binds = binds


class Broken(Stmt):
    """A statement that does not parse (half typed). `names` are the identifiers in its text."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


class Module:
    """A whole file: the top-level statements in order, nested through their bodies."""

    __slots__ = ("body",)

    def __init__(self, body: Block) -> None:
        self.body = body
