"""What a test says: the kind of condition it is, and what it proves about names in its branches."""

from __future__ import annotations

from trainlint.analysis.facts import Cond
from trainlint.analysis.joins import one_of
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Const, OneOf, Unknown, Value, is_none
from trainlint.syntax import ir


def condition(run: Run, scope: Scope, test: ir.Expr, holds: bool) -> Cond:
    """The condition under which a branch runs."""
    period = modulo_period(test)
    if period is not None:
        with run.silent():
            from trainlint.analysis.expressions import evaluate

            value = evaluate(run, scope, period)
        return Cond(test, holds, "modulo", value)
    if mentions_last(test):
        return Cond(test, holds, "last")
    return Cond(test, holds, "other")


def modulo_period(test: ir.Expr) -> ir.Expr | None:
    """The period `k` of a test like `i % k == 0`, `not i % k`, `(i + 1) % k == k - 1`, also inside `and`/`or`."""
    if isinstance(test, ir.BoolOp):
        return modulo_period(test.left) or modulo_period(test.right)
    if isinstance(test, ir.UnaryOp) and test.op == "not":
        return modulo_period(test.operand)
    if isinstance(test, ir.Compare):
        return modulo_period(test.left) or modulo_period(test.comparators[0])
    if isinstance(test, ir.BinOp) and test.op == "%":
        return test.right
    return None


def mentions_last(test: ir.Expr) -> bool:
    """`i == len(loader) - 1` and the like."""
    if isinstance(test, ir.BoolOp):
        return mentions_last(test.left) or mentions_last(test.right)
    if not isinstance(test, ir.Compare):
        return False
    stack: list[ir.Expr] = [test.left, *test.comparators]
    while stack:
        node = stack.pop()
        if isinstance(node, ir.Call) and isinstance(node.func, ir.Name) and node.func.id == "len":
            return True
        if isinstance(node, ir.BinOp):
            stack += [node.left, node.right]
    return False


def refine(run: Run, scope: Scope, test: ir.Expr, holds: bool) -> None:
    """Narrow names that the test decides: `is None`, truth, `isinstance`, `not`, `and`, `or`."""
    if isinstance(test, ir.UnaryOp) and test.op == "not":
        refine(run, scope, test.operand, not holds)
    elif isinstance(test, ir.BoolOp):
        if (test.op == "and") == holds:
            refine(run, scope, test.left, holds)
            refine(run, scope, test.right, holds)
    elif isinstance(test, ir.Name):
        if holds:
            narrow(scope, test.id)
    elif isinstance(test, ir.Compare) and len(test.ops) == 1 and isinstance(test.left, ir.Name):
        right = test.comparators[0]
        if holds and test.ops[0] in ("in", "==") and scope.outer(test.left.id) is None:
            choose(scope, test.left.id, right)
        if test.ops[0] in ("is", "is not", "==", "!=") and isinstance(right, ir.Const) and right.value is None:
            is_none_here = (test.ops[0] in ("is", "==")) == holds
            if is_none_here:
                if isinstance(scope.lookup(test.left.id), (Unknown, OneOf)) and scope.outer(test.left.id) is None:
                    scope.names[test.left.id] = Const(None)
            else:
                narrow(scope, test.left.id)


def choose(scope: Scope, name: str, right: ir.Expr) -> None:
    """`name in ("a", "b")` and `name == "a"` say what an unknown name is."""
    options = right.elts if isinstance(right, ir.Sequence) else (right,)
    texts = [Const(each.value) for each in options if isinstance(each, ir.Const) and isinstance(each.value, str)]
    if texts and len(texts) == len(options) and type(scope.lookup(name)) is Unknown:
        scope.names[name] = one_of(tuple(texts))


def narrow(scope: Scope, name: str) -> None:
    """Drop None from what a name may be."""
    value = scope.lookup(name)
    if value is None or scope.outer(name) is not None:
        return
    result: Value | None = None
    if isinstance(value, OneOf):
        rest = tuple(v for v in value.values if not is_none(v))
        if len(rest) != len(value.values):
            result = one_of(rest)
    elif is_none(value):
        result = Unknown(name)
    if result is not None:
        scope.names[name] = result
