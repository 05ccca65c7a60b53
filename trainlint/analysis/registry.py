"""Where `trainlint.ops` registers what library calls do to abstract values; the analysis only looks up here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from trainlint.analysis.facts import Violation, ViolationKind
from trainlint.analysis.values import Const, Obj, Place, Step, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.run import Run
    from trainlint.analysis.scope import Scope


class OpCall:
    """One call as an op sees it: arguments by position and name, the receiver of a method, the run to report to."""

    __slots__ = ("args", "kwargs", "name", "node", "receiver", "run", "scope")

    def __init__(
        self,
        run: Run,
        scope: Scope,
        node: ir.Expr,
        name: str,
        args: list[Value],
        kwargs: dict[str, Value],
        receiver: Value | None = None,
    ) -> None:
        self.run = run
        self.scope = scope
        self.node = node
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.receiver = receiver

    def arg(self, index: int, name: str) -> Value | None:
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[index] if index < len(self.args) else None

    def const(self, index: int, name: str) -> object:
        """The Python value of an argument that is a constant, else None."""
        value = self.arg(index, name)
        return value.value if isinstance(value, Const) else None

    @property
    def place(self) -> Place:
        return Place(self.scope.file.path, self.node)

    def step(self, text: str, before: Value | None = None, sets: str = "") -> Step:
        """An origin step at this call, on top of the origin of `before`; `sets` as in `Step`."""
        return Step(self.place, text, before.origin if before is not None else None, sets)

    def require(
        self,
        holds: bool | None,
        kind: ViolationKind,
        *values: Value,
        op: str = "",
        **names: Value | str,
    ) -> bool:
        """State a requirement of the operation: reports a `Violation` where it is proved not to hold.

        `holds` is three-valued: None (not decided) reports nothing. Returns False only where it is violated; the
        operation then has no result: give `Array()` with nothing known.
        """
        if holds is not False:
            return True
        maker = None
        if isinstance(self.receiver, Obj) and self.receiver.node is not None and self.receiver.file:
            maker = Place(self.receiver.file, self.receiver.node)
        name = op or self.name.removeprefix("torch.nn.functional.").removeprefix("torch.nn.").removeprefix("torch.")
        fact = Violation(kind, name, self.node, self.scope.file, values, names, maker, self.run.loops)
        self.run.violated(fact)
        return False


Op: TypeAlias = "Callable[[OpCall], Value | None]"

# qualified name → what calling it does
FUNCTIONS: dict[str, Op] = {}
# (kind or qualified class name, method) → what the method does
METHODS: dict[tuple[str, str], Op] = {}
# method of an array, tensor or PIL image
ARRAY_METHODS: dict[str, Op] = {}
# qualified class name → what calling an instance does
CALLS: dict[str, Op] = {}
# qualified class name → kind of the object it makes
KINDS: dict[str, str] = {}
# prefix of qualified names → kind, tried longest first, for names that begin with a capital letter
KIND_PREFIXES: list[tuple[str, str]] = []
# qualified name → the number that it is
CONSTANTS: dict[str, float | str] = {}
# spellings of one thing: other name (or prefix ending in a dot) → canonical one
ALIASES: dict[str, str] = {}
PREFIX_ALIASES: list[tuple[str, str]] = []


class RegisteredTwice(Exception):
    """Two ops claim one name: which of them holds would depend on the order of imports."""


def register_once(table: dict[Any, Op], key: str | tuple[str, str], function: Op, written: Op) -> None:
    """Enter an op, `written` being the function as it stands in the source; refuses a name that is taken."""
    if key in table:
        raise RegisteredTwice(f"{key!r} is registered by {_where(_WRITTEN[table[key]])} and by {_where(written)}")
    table[key] = function
    _WRITTEN[function] = written


def surround(table: dict[Any, Op], key: str, around: Callable[[Op], Op]) -> None:
    """Put `around(op)` in the place of an op that is registered; the name stays that op's own."""
    inner = table[key]
    outer = around(inner)
    table[key] = outer
    _WRITTEN[outer] = _WRITTEN[inner]


# the function in the source behind each registered one, for the message above
_WRITTEN: dict[Op, Op] = {}


def _where(function: Op) -> str:
    code = getattr(function, "__code__", None)
    line = f":{code.co_firstlineno}" if code is not None else ""
    return f"`{function.__qualname__}` in {function.__module__}{line}"


def op(*names: str) -> Callable[[Op], Op]:
    """Register what calling the external functions or classes does."""

    def register(function: Op) -> Op:
        for name in names:
            register_once(FUNCTIONS, name, function, function)
        return function

    return register


def method(owner: str, *names: str) -> Callable[[Op], Op]:
    """Register methods of a kind of object (`optimizer`) or of one class by its qualified name."""

    def register(function: Op) -> Op:
        for name in names:
            register_once(METHODS, (owner, name), function, function)
        return function

    return register


def array_method(*names: str) -> Callable[[Op], Op]:
    """Register methods of arrays and tensors; `pil.name` is a method of PIL images, `.name` an attribute."""

    def register(function: Op) -> Op:
        for name in names:
            register_once(ARRAY_METHODS, name, function, function)
        return function

    return register


def tensor_op(*names: str, torch: bool = True, functional: bool = False, inplace: bool = False) -> Callable[[Op], Op]:
    """Register an operation of tensors under each of its spellings, the tensor being the first argument in all of them.

    `name` makes the method `x.name(…)`; `torch` also the function `torch.name(x, …)`, `functional` also
    `torch.nn.functional.name(x, …)`, `inplace` also `name_` of each. In the op `call.args[0]` is the tensor, and a
    keyword `input=` or `self=` was moved there; `call.arg(1, "dim")` counts from the tensor.
    """

    def register(function: Op) -> Op:
        def as_function(call: OpCall) -> Value | None:
            given = call.kwargs.get("input", call.kwargs.get("self"))
            if given is not None and not call.args:
                rest = {k: v for k, v in call.kwargs.items() if k not in ("input", "self")}
                call = OpCall(call.run, call.scope, call.node, call.name, [given], rest)
            return function(call) if call.args else None

        def as_method(call: OpCall) -> Value | None:
            if call.receiver is None:
                return None
            args = [call.receiver, *call.args]
            return function(OpCall(call.run, call.scope, call.node, call.name, args, call.kwargs))

        for name in names:
            for spelled in (name, name + "_") if inplace else (name,):
                register_once(ARRAY_METHODS, spelled, as_method, function)
                if torch:
                    register_once(FUNCTIONS, f"torch.{spelled}", as_function, function)
                if functional:
                    register_once(FUNCTIONS, f"torch.nn.functional.{spelled}", as_function, function)
        return function

    return register


def called(*names: str) -> Callable[[Op], Op]:
    """Register what calling an instance of the classes does (`ToTensor()(image)`)."""

    def register(function: Op) -> Op:
        for name in names:
            register_once(CALLS, name, function, function)
        return function

    return register


def kind(name: str, *classes: str) -> None:
    """The objects that these classes make are of this kind; a trailing `*` is a prefix."""
    for cls in classes:
        if cls.endswith("*"):
            KIND_PREFIXES.append((cls[:-1], name))
            KIND_PREFIXES.sort(key=lambda entry: -len(entry[0]))
        else:
            KINDS[cls] = name


def constant(name: str, value: float | str) -> None:
    """A qualified name that stands for a number or a string."""
    CONSTANTS[name] = value


def alias(canonical: str, *others: str) -> None:
    """Other spellings of a qualified name; names that end with a dot are prefixes."""
    for other in others:
        if other.endswith("."):
            PREFIX_ALIASES.append((other, canonical))
        else:
            ALIASES[other] = canonical


_CANON: dict[str, str] = {}


def canonical(name: str) -> str:
    """The one spelling of a qualified name that the tables use."""
    result = _CANON.get(name)
    if result is None:
        result = ALIASES.get(name, name)
        for prefix, target in PREFIX_ALIASES:
            if result.startswith(prefix):
                result = target + result[len(prefix) :]
        result = ALIASES.get(result, result)
        if len(_CANON) > 50_000:
            _CANON.clear()
        _CANON[name] = result
    return result


def is_known(name: str) -> bool:
    """Does a library have this function or class, as the tables know?"""
    name = canonical(name)
    return name in FUNCTIONS or name in CALLS or name in KINDS


@lru_cache(maxsize=20_000)
def kind_of(name: str) -> str | None:
    """The kind of object that calling `name` makes, None where it is not a known class."""
    found = KINDS.get(name)
    if found is not None:
        return found
    last = name.rpartition(".")[2]
    if last[:1].isupper():
        for prefix, value in KIND_PREFIXES:
            if name.startswith(prefix):
                return value
    return None
