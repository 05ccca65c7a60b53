"""Arithmetic and comparison of abstract scalars; arrays go to the operator that `trainlint.ops` registers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from trainlint.analysis import dims, registry
from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.devices import report_mixed
from trainlint.analysis.joins import element, is_numeric, one_of
from trainlint.analysis.modules import children, container
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.tape import record
from trainlint.analysis.values import (
    UNSET,
    Class,
    Const,
    Ext,
    Mapping,
    Member,
    Number,
    Obj,
    OneOf,
    Place,
    Range,
    Seq,
    Step,
    Sym,
    Unknown,
    Value,
    alternatives,
    is_none,
    known,
    truth,
)
from trainlint.syntax import ir

# results beyond these sizes are not computed: a script may say 10 ** 10 ** 10 or "x" * 10 ** 9
MAX_BITS = 256
MAX_LENGTH = 1 << 20

_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def fold(op: str, a: Any, b: Any) -> Any:
    """The result of the operator on two Python scalars, or NotImplemented where it is too large or raises."""
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    if not numbers and not (isinstance(a, str) and (isinstance(b, str) or op in "*%")):
        return NotImplemented
    if op in ("**", "<<") and (abs(b) > 64 or (isinstance(a, int) and a.bit_length() * max(1, abs(b)) > MAX_BITS)):
        return NotImplemented
    if isinstance(a, str) and op == "*" and (not isinstance(b, int) or len(a) * b > MAX_LENGTH):
        return NotImplemented
    if isinstance(a, str) and op == "%":
        return NotImplemented
    try:
        result = _OPS[op](a, b)
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return NotImplemented
    return NotImplemented if isinstance(result, complex) else result


def binary(run: Run, scope: Scope, op: str, left: Value, right: Value, expr: ir.Expr | ir.AugAssign) -> Value:
    """`left op right`."""
    if isinstance(left, Obj) or isinstance(right, Obj):
        left, right = tensor_of(left), tensor_of(right)
    if isinstance(left, Array) or isinstance(right, Array):
        return array_operator(run, scope, op, left, right, expr)
    if op == "%" and isinstance(left, Const) and isinstance(left.value, str):
        return formatted(left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        result = fold(op, left.value, right.value)
        if result is NotImplemented:
            return Unknown()
        before = left.origin if left.literal is not None or left.default else right.origin
        step = Step(Place(scope.file.path, expr), "computed", before or left.origin)
        return Const(result, step, left.default or right.default)
    if isinstance(left, Seq) or isinstance(right, Seq):
        made = sequence_operator(op, left, right)
        if isinstance(made, Seq) and made is not left and made is not right:
            made.born = run.tick()
        return made
    if isinstance(left, Mapping) and isinstance(right, Mapping) and op == "|":
        return Mapping({**left.items, **right.items}, left.open or right.open, left.origin)
    if isinstance(left, (OneOf, Const)) and isinstance(right, (OneOf, Const)):
        pairs = [(a, b) for a in alternatives(left) for b in alternatives(right)]
        return one_of(tuple(binary(run, scope, op, a, b, expr) for a, b in pairs))
    if isinstance(left, (Sym, Const, OneOf)) and isinstance(right, (Sym, Const, OneOf)):
        return size_arithmetic(op, left, right)
    if isinstance(left, Range) and isinstance(right, Const) and op in "+-" and isinstance(right.value, (int, float)):
        return Range(_OPS[op](left.low, right.value), _OPS[op](left.high, right.value))
    return computed(op, left, right)


def computed(op: str, *operands: Value) -> Value:
    """What arithmetic gives that is not followed: a number where all operands are."""
    if not all(map(is_numeric, operands)):
        return Unknown()
    whole = [is_whole(operand) for operand in operands]
    real = op == "/" or False in whole
    return Number(dtype="float32" if real else "int64" if None not in whole and op != "**" else None)


def is_whole(value: Value) -> bool | None:
    """Is a number an integer? None where that is open."""
    if isinstance(value, Number):
        return None if value.dtype is None else value.dtype == "int64"
    if isinstance(value, Const):
        return isinstance(value.value, int)
    return True if isinstance(value, Sym) else None


def formatted(text: Const, given: Value) -> Value:
    """`text % given`, of constants."""
    parts = given.items if isinstance(given, Seq) and given.kind == "tuple" else [given]
    if parts is None or not all(isinstance(part, Const) for part in parts):
        return Unknown()
    try:
        result = text.value % tuple(part.value for part in parts if isinstance(part, Const))
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return Unknown()
    default = next((part.default for part in parts if isinstance(part, Const) and part.default), text.default)
    return Const(result, text.origin, default) if len(result) <= MAX_LENGTH else Unknown()


_SIZES: dict[str, Callable[[Value, Value], Value]] = {
    "+": dims.add,
    "-": dims.sub,
    "*": dims.mul,
    "//": dims.floordiv,
    "%": dims.mod,
}


def size_arithmetic(op: str, left: Value, right: Value) -> Value:
    """Arithmetic with symbolic sizes; what is not integer arithmetic keeps only a name."""
    if op == "/":
        exact = dims.quotient(left, right)
        if exact is not None:
            return exact
    function = _SIZES.get(op)
    result: Value = function(left, right) if function is not None else Unknown()
    if isinstance(result, Unknown) and not isinstance(left, OneOf) and not isinstance(right, OneOf):
        shown = [v.name if isinstance(v, Sym) else str(known(v)) for v in (left, right)]
        name = f"{shown[0]} {op} {shown[1]}"
        return Number(name) if is_numeric(left) and is_numeric(right) else Unknown(name)
    return result


def array_function(run: Run, scope: Scope, table: str, op: str, values: list[Value], expr: ir.Expr) -> Value:
    """A sign or a comparison of arrays."""
    handler = registry.FUNCTIONS.get(table)
    call = registry.OpCall(run, scope, expr, op, values, {})
    tape = run.program.tape
    before = len(tape.entries) if tape is not None else 0
    result = (handler(call) if handler is not None else None) or Unknown()
    if tape is None or op == "+":
        return result
    name = "neg" if op == "-" else op
    return record(run, scope, f"operator.{name}", expr, values, result, values, {}, before)


def array_operator(run: Run, scope: Scope, op: str, left: Value, right: Value, expr: ir.Expr | ir.AugAssign) -> Value:
    handler = registry.FUNCTIONS.get("operator")
    if handler is None:
        return Unknown()
    report_mixed(run, scope, expr, op, [left, right])
    operands = [running_number(left, right), running_number(right, left)]
    call = registry.OpCall(run, scope, expr, op, operands, {})  # type: ignore[arg-type]
    tape = run.program.tape
    before = len(tape.entries) if tape is not None else 0
    result = handler(call) or Unknown()
    if tape is None:
        return result
    # a number cannot be added to in place: `total = 0.0; total += loss` makes a tensor
    inplace = isinstance(expr, ir.AugAssign) and isinstance(left, Array)
    name = f"operator.{op}" + ("=" if inplace else "")
    return record(run, scope, name, expr, [left, right], result, [left, right], {}, before)


def running_number(value: Value, other: Value) -> Value:
    """A total that began as a number and to which a scalar tensor is added is like a number to that operation."""
    began = isinstance(value, Unknown) and value.promised == "total"
    return Const(0.0) if began and isinstance(other, Array) and other.shape == () else value


def sequence_operator(op: str, left: Value, right: Value) -> Value:
    if op == "+" and isinstance(left, Seq) and isinstance(right, Seq):
        if left.items is not None and right.items is not None:
            return Seq(left.kind, left.items + right.items, None, left.origin)
        if left.items == [] or right.items == []:
            other = left if right.items == [] else right
            return Seq(left.kind, None, other.elem, left.origin, other.length)
        length = dims.add(left.count, right.count) if left.count is not None and right.count is not None else None
        return Seq(left.kind, None, one_of((element(left), element(right))), left.origin, length)
    if op == "*":
        seq, times = (left, right) if isinstance(left, Seq) else (right, left)
        if isinstance(seq, Seq):
            count = times.value if isinstance(times, Const) else None
            if seq.items is not None and isinstance(count, int) and 0 <= count * len(seq.items) <= 256:
                return Seq(seq.kind, seq.items * count, None, seq.origin)
            length = dims.mul(seq.count, times) if seq.count is not None else None
            return Seq(seq.kind, None, element(seq), seq.origin, None if isinstance(length, Unknown) else length)
    return Unknown()


_SIGNS: dict[str, Callable[[Any], Any]] = {"-": operator.neg, "+": operator.pos}


def unary(run: Run, scope: Scope, op: str, value: Value, expr: ir.UnaryOp) -> Value:
    if isinstance(value, Const):
        if op == "not":
            return Const(not value.value, value.origin, value.default)
        if isinstance(value.value, (int, float)):
            folded = _SIGNS.get(op)
            if folded is not None:
                # the literal of a negative number is the whole `-x`
                literal = Place(scope.file.path, expr) if value.literal is not None else None
                return Const(folded(value.value), value.origin, value.default, literal)
            if op == "~" and isinstance(value.value, int):
                return Const(~value.value, value.origin, value.default)
    if op == "not" and (decided := truth(value)) is not None:
        return Const(not decided)
    if isinstance(value, Array) and op in "-+~":
        tape = run.program.tape
        before = len(tape.entries) if tape is not None else 0
        result = array_function(run, scope, "unary", op, [value], expr)
        name = {"-": "torch.neg", "~": "torch.bitwise_not"}.get(op)
        return record(run, scope, name, expr, [value], result, [value], {}, before) if name is not None else result
    if isinstance(value, Sym) and op == "-":
        return dims.sub(Const(0), value)
    if isinstance(value, Number) and op in "-+":
        return Number(dtype=value.dtype)
    if isinstance(value, OneOf):
        return one_of(tuple(unary(run, scope, op, item, expr) for item in value.values))
    return Unknown()


def compare(run: Run, scope: Scope, left: Value, ops: tuple[str, ...], rights: list[Value], expr: ir.Expr) -> Value:
    """A comparison: a constant where it is proved (defaults stay defaults), an array of truths, else Unknown."""
    if len(ops) != 1:
        return chained(run, scope, left, ops, rights, expr)
    op, right = ops[0], rights[0]
    if (isinstance(left, Array) or isinstance(right, Array)) and op in _COMPARE:
        return array_function(run, scope, "compare", op, [left, right], expr)
    if op in ("is", "is not"):
        if isinstance(left, Const) and isinstance(right, Const) and (is_none(left) or is_none(right)):
            same = left.value is right.value
            return Const(same == (op == "is"), None, left.default or right.default)
        if isinstance(left, Const) and isinstance(right, Const) and isinstance(left.value, Member):
            return Const((left.value is right.value) == (op == "is"), None, left.default or right.default)
        if isinstance(left, Const) and isinstance(right, Const) and isinstance(left.value, (bool, str)):
            # of texts it is those of one enumeration that are asked about
            same = type(left.value) is type(right.value) and left.value == right.value
            return Const(same == (op == "is"), None, left.default or right.default)
        if is_none(right) and not isinstance(left, (Unknown, OneOf, Const)):
            return Const(op == "is not")
        if is_none(right) and isinstance(left, Unknown) and left.promised == UNSET and run.by_default:
            # nobody gave the option
            return Const(op == "is", None, left.name)
        if is_none(right) and isinstance(left, Unknown) and left.promised == "device":
            # which one it is may not be known, every tensor has one
            return Const(op == "is not")
        if isinstance(left, (Ext, Class)) and isinstance(right, (Ext, Class)):
            return Const(same_thing(left, right) == (op == "is"))
        return Unknown()
    if op in ("==", "!=") and isinstance(left, (Ext, Class)) and isinstance(right, (Ext, Class)):
        return Const(same_thing(left, right) == (op == "=="))
    if op in ("in", "not in"):
        return membership(run, op, left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return Const(bool(_COMPARE[op](left.value, right.value)), None, left.default or right.default)
        except (TypeError, KeyError):
            return Unknown()
    if isinstance(left, (Sym, Const)) and isinstance(right, (Sym, Const)) and op in _COMPARE:
        answer = compare_sizes(op, left, right)
        if (
            isinstance(answer, Unknown)
            and run.program.tape is not None
            and not (dims.varies(left) or dims.varies(right))
        ):
            usual = (dims.usual(left), dims.usual(right))
            return answer if None in usual else Const(bool(_COMPARE[op](*usual)), None, "the usual sizes")
        return answer
    return Unknown()


def same_thing(a: Value, b: Value) -> bool:
    """Are two classes or functions one? What the builtins are called is not looked up where `type(x)` gives it."""
    return a is b or (isinstance(a, Ext) and isinstance(b, Ext) and a.name == b.name)


def chained(run: Run, scope: Scope, left: Value, ops: tuple[str, ...], rights: list[Value], expr: ir.Expr) -> Value:
    """`a < b <= c`: False where one comparison is, True where all are."""
    pairs = zip([left, *rights[:-1]], ops, rights, strict=True)
    answers = [compare(run, scope, a, (op,), [b], expr) for a, op, b in pairs]
    decided = [answer for answer in answers if isinstance(answer, Const)]
    failed = next((answer for answer in decided if not answer.value), None)
    if failed is not None:
        return failed
    if len(decided) < len(answers):
        return Unknown()
    return next((answer for answer in decided if answer.default), decided[0])


def compare_sizes(op: str, left: Sym | Const, right: Sym | Const) -> Value:
    """A comparison of symbolic sizes, decided where it holds (or fails) for every value; defaults stay defaults."""
    if op in ("==", "!="):
        answer, positive = dims.same(left, right), "=="
    elif op in (">=", "<"):
        answer, positive = dims.at_least(left, right), ">="
    else:
        answer, positive = dims.at_least(right, left), "<="
    if answer is None:
        return Unknown()
    return Const(answer == (op == positive), None, left.default or right.default)


def membership(run: Run, op: str, left: Value, right: Value) -> Value:
    """`left in right`, where all that is in there is known. Nobody set an environment variable, by default."""
    if isinstance(left, Const) and isinstance(right, Ext) and right.name == "os.environ" and run.by_default:
        return Const(op == "not in", None, f"`${left.value}`")
    if isinstance(left, Const) and isinstance(right, Obj) and right.kind == "names" and isinstance(right.args[0], Ext):
        return Const(op == "in") if registry.is_known(f"{right.args[0].name}.{left.value}") else Unknown()
    if isinstance(left, (Ext, Class)) and isinstance(right, Seq) and right.items is not None:
        if all(isinstance(item, (Ext, Class)) for item in right.items):
            return Const(any(same_thing(item, left) for item in right.items) == (op == "in"))
    if isinstance(left, Const) and isinstance(right, Seq) and right.items is not None:
        if all(isinstance(item, Const) for item in right.items):
            found = any(isinstance(item, Const) and item.value == left.value for item in right.items)
            return Const(found == (op == "in"), None, left.default)
    if isinstance(left, Const) and isinstance(right, Mapping) and not right.open:
        try:
            return Const((left.value in right.items) == (op == "in"), None, left.default)
        except TypeError:
            return Unknown()
    if isinstance(left, Const) and container(right) == "torch.nn.ModuleDict":
        inside = children(right)
        return Unknown() if inside is None else Const((left.value in inside) == (op == "in"), None, left.default)
    if isinstance(left, Const) and isinstance(right, Const) and isinstance(right.value, str):
        if isinstance(left.value, str):
            return Const((left.value in right.value) == (op == "in"), None, left.default or right.default)
    return Unknown()
