"""The abstract values. Every value may carry its origin: the steps that made it, newest first.

`Unknown` is the top element: it says nothing and silences every rule. It may have a name (for messages) and an identity
(two uses of one parameter are the same Unknown object), never a property.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from trainlint.syntax import ir
from trainlint.text.place import Span

if TYPE_CHECKING:
    from trainlint.analysis.files import File
    from trainlint.analysis.scope import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: an IR node of a file, or a span of a data file (`node` is None then)."""

    path: str
    node: ir.Expr | ir.Stmt | None
    span: Span | None = None

    @property
    def line(self) -> int:
        """1-based line."""
        if self.span is not None:
            return self.span.line
        node = self.node
        if isinstance(node, ir.Expr):
            return node.stmt.first_line
        return node.first_line if node is not None else 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a value's origin: `text` says what happened at `place`.

    `sets` holds the words for what the step decided about an image: `image` (it was read or made here), `layout`,
    `colour`, `channels`, `range`.
    """

    place: Place
    text: str
    before: Step | None = None
    sets: str = ""

    def __iter__(self) -> Iterator[Step]:
        step: Step | None = self
        while step is not None:
            yield step
            step = step.before


class Value:
    """Base of all abstract values."""

    __slots__ = ("origin",)
    origin: Step | None


class Unknown(Value):
    """Anything. `name` is the expression it came from, where that helps a message."""

    __slots__ = ("attrs", "name", "param", "promised")

    def __init__(self, name: str = "", origin: Step | None = None, param: bool = False) -> None:
        self.name = name
        self.origin = origin
        self.param = param
        self.attrs: dict[str, Value] | None = None
        # a class or tag that annotations or use promise; never proof of more than that
        self.promised: str | None = None

    def __repr__(self) -> str:
        return f"?{self.name}"


# what an option promises that nobody needs to give and that has no default: it is None where none is given
UNSET = "unset"


class Number(Unknown):
    """A Python number whose value is not known: no tensor, and it has no axes. `dtype` is int64 or float32, or None."""

    __slots__ = ("dtype",)

    def __init__(self, name: str = "", origin: Step | None = None, dtype: str | None = None) -> None:
        super().__init__(name, origin)
        self.dtype = dtype


class Const(Value):
    """A known Python scalar (or None, str, bytes).

    `default` names the overridable source (an argparse option, a dataclass field, an environment variable) or is None;
    `literal` is the place of the literal that this value is, unchanged, so that a fix can edit it.
    """

    __slots__ = ("default", "literal", "value")

    def __init__(
        self, value: Any, origin: Step | None = None, default: str | None = None, literal: Place | None = None
    ) -> None:
        self.value = value
        self.origin = origin
        self.default = default
        self.literal = literal

    def __repr__(self) -> str:
        return f"{self.value!r}" + (f" (default {self.default})" if self.default else "")


class OneOf(Value):
    """One of two to eight alternatives."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[Value, ...], origin: Step | None = None) -> None:
        self.values = values
        self.origin = origin

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.values))


class Range(Value):
    """A number between `low` and `high`, both included."""

    __slots__ = ("high", "low")

    def __init__(self, low: float, high: float, origin: Step | None = None) -> None:
        self.low = low
        self.high = high
        self.origin = origin

    def __repr__(self) -> str:
        return f"{self.low}..{self.high}"


class Round:
    """The key of an atom that counts the rounds of a loop: its usual value is that of the first round only."""


class Atom:
    """A named integer, equal to those with its key; `value` is what it usually stands for.

    `low` is the least value it may have (0 or more), None where it may be negative. `last` is a value that it certainly
    has once: the size of the last batch of a loader that keeps a smaller one.
    """

    __slots__ = ("hashed", "key", "last", "low", "name", "order", "value")

    def __init__(
        self, key: object, name: str, low: int | None, value: Value | None = None, last: int | None = None
    ) -> None:
        self.key = key
        self.last = last
        self.name = name
        self.low = low
        self.value = value
        self.hashed = hash(key)
        self.order = (name, self.hashed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return self.hashed

    def __repr__(self) -> str:
        return self.name


# terms (a product of atoms, an integer factor), sorted; the empty product is the constant term
Poly: TypeAlias = "tuple[tuple[tuple[Atom, ...], int], ...]"


class Sym(Value):
    """An integer that is not known but has a name (`len(dataset)`, the batch B), or a polynomial of such names.

    `Sym(name)` makes a new one, equal only to itself and at least `low` (None: no bound is known); the arithmetic is in
    `analysis.dims`. `default` names an overridable source that a coefficient came through.
    """

    __slots__ = ("default", "poly")
    poly: Poly

    def __init__(self, name: str, origin: Step | None = None, low: int | None = 0) -> None:
        self.poly = (((Atom(object(), name, low),), 1),)
        self.origin = origin
        self.default: str | None = None

    @classmethod
    def of(cls, poly: Poly, origin: Step | None = None, default: str | None = None) -> Sym:
        """The size with this polynomial, which must not be a constant."""
        result = cls.__new__(cls)
        result.poly = poly
        result.origin = origin
        result.default = default
        return result

    @property
    def name(self) -> str:
        """The polynomial as text: `B`, `2*B+1`."""
        from trainlint.analysis.dims import poly_text

        return poly_text(self.poly)

    def __repr__(self) -> str:
        return self.name


class Seq(Value):
    """A tuple, list or set. `items` is None where they are not known one by one: `elem` then describes every element,
    and `length` says how many there are, where that is known.
    """

    __slots__ = ("born", "elem", "items", "kind", "length")

    def __init__(
        self,
        kind: str,
        items: list[Value] | None,
        elem: Value | None = None,
        origin: Step | None = None,
        length: Value | None = None,
    ) -> None:
        self.kind = kind
        self.items = items
        self.elem = elem
        self.length = length
        # when the program made it (0: not by a display); see `Run.floor`
        self.born = 0
        self.origin = origin

    @property
    def count(self) -> Value | None:
        """The number of elements, None where it is not known."""
        return Const(len(self.items)) if self.items is not None else self.length

    def covered(self, elem: Value, length: Value | None = None) -> None:
        """From here on the elements are told by what covers them all."""
        self.items, self.elem, self.length = None, elem, length

    def __repr__(self) -> str:
        if self.items is not None:
            return f"{self.kind}[{', '.join(map(repr, self.items))}]"
        return f"{self.kind}[{self.elem!r}…]"


class Named(Seq):
    """A named tuple: `fields` name its items, `cls` is the workspace class that it is an object of, if there is one."""

    __slots__ = ("cls", "fields")

    def __init__(
        self, fields: tuple[str, ...], items: list[Value], cls: Class | None = None, origin: Step | None = None
    ) -> None:
        super().__init__("named", items, None, origin)
        self.fields = fields
        self.cls = cls

    def field(self, name: str) -> Value | None:
        """The item of a field, None where there is none of that name."""
        return self.items[self.fields.index(name)] if self.items is not None and name in self.fields else None


class Member:
    """A member of an enumeration, the Python value of a `Const`: equal to itself only."""

    __slots__ = ("name", "owner", "value")

    def __init__(self, owner: Class, name: str, value: Value) -> None:
        self.owner = owner
        self.name = name
        self.value = value

    def __repr__(self) -> str:
        return f"{self.owner.name}.{self.name}"


# Python values that are keys of a Mapping
KEYS = (str, int, float, bool, type(None), Member)


class Mapping(Value):
    """A dict with known keys; `open` where other keys may exist: `rest` covers what was stored under them."""

    __slots__ = ("born", "items", "open", "rest")

    def __init__(self, items: dict[Any, Value], open: bool = False, origin: Step | None = None) -> None:
        self.items = items
        self.open = open
        self.rest: Value | None = None
        self.born = 0
        self.origin = origin

    def __repr__(self) -> str:
        return f"dict({', '.join(f'{k!r}: {v!r}' for k, v in self.items.items())}{', …' if self.open else ''})"


class Output(Mapping):
    """What a model of transformers gives: items by name, and by number among those that are not None."""

    __slots__ = ()

    def present(self) -> list[Value]:
        """The items that a number asks for, in order."""
        return [item for item in self.items.values() if not is_none(item)]


class Ext(Value):
    """A module, class or function from outside the workspace by its canonical qualified name (`torch.nn.Conv2d`)."""

    __slots__ = ("name",)

    def __init__(self, name: str, origin: Step | None = None) -> None:
        self.name = name
        self.origin = origin

    def __repr__(self) -> str:
        return self.name


class Func(Value):
    """A function, method or lambda of the workspace, with the scope it closes over and the object it is bound to."""

    __slots__ = ("bound", "file", "node", "owner", "scope")

    def __init__(
        self,
        node: ir.FunctionDef | ir.Lambda,
        scope: Scope,
        file: File,
        bound: Value | None = None,
        owner: Class | None = None,
    ) -> None:
        self.node = node
        self.scope = scope
        self.file = file
        self.bound = bound
        self.owner = owner
        self.origin = None

    @property
    def name(self) -> str:
        return self.node.name if isinstance(self.node, ir.FunctionDef) else "<lambda>"

    def __repr__(self) -> str:
        return f"def {self.name}"


class Class(Value):
    """A class of the workspace. `members` are its class attributes and methods."""

    __slots__ = (
        "_externals",
        "_lineage",
        "_order",
        "bases",
        "default_instance",
        "file",
        "members",
        "module",
        "node",
        "scope",
        "written",
    )

    def __init__(self, node: ir.ClassDef, scope: Scope, file: File, bases: tuple[Value, ...]) -> None:
        self.node = node
        self.scope = scope
        self.file = file
        self.bases = bases
        self.members: dict[str, Value] = {}
        # attribute → method → the statements that assign `self.attribute`
        self.written: dict[str, dict[str, list[ir.Stmt]]] = {}
        self.default_instance: Instance | None = None
        self.origin = None
        # the bases of a class never change: what follows from them is found once
        self._lineage: tuple[Class, ...] | None = None
        self._order: list[Class] | None = None
        self._externals: tuple[Value, ...] | None = None
        # does it extend `nn.Module`? See `modules.is_module_class`
        self.module: bool | None = None

    @property
    def name(self) -> str:
        return self.node.name

    def ancestry(self) -> tuple[Class, ...]:
        """This class and its workspace bases, nearest first (depth first, duplicates once)."""
        if self._lineage is None:
            found: dict[int, Class] = {}
            stack: list[Value] = [self]
            while stack:
                top = stack.pop(0)
                if isinstance(top, Class) and id(top) not in found:
                    found[id(top)] = top
                    stack[:0] = top.bases
            self._lineage = tuple(found.values())
        return self._lineage

    def order(self) -> list[Class]:
        """The workspace classes in the order Python looks into them (a shared base after all that extend it)."""
        if self._order is None:
            self._order = self._linearised()
        return self._order

    def _linearised(self) -> list[Class]:
        found = self.ancestry()
        result: list[Class] = []
        waiting = list(found)
        while waiting:
            # the first that no other one waiting extends
            head = next((c for c in waiting if not any(c in o.ancestry()[1:] for o in waiting)), waiting[0])
            waiting.remove(head)
            result.append(head)
        return result

    def external_bases(self) -> tuple[Value, ...]:
        """The bases that are not workspace classes (an Ext, or Unknown where it could not be resolved)."""
        if self._externals is None:
            self._externals = tuple(b for cls in self.ancestry() for b in cls.bases if not isinstance(b, Class))
        return self._externals

    def extends(self, *names: str) -> bool:
        """Is one of the external bases among the qualified names?"""
        return any(isinstance(base, Ext) and base.name in names for base in self.external_bases())

    def assigned_in(self, method: str, attribute: str) -> list[ir.Stmt]:
        """The statements of one method of this class that assign `self.attribute`, in order."""
        return self.written.get(attribute, {}).get(method, [])

    @property
    def closed(self) -> bool:
        """True where every base is known."""
        return not any(isinstance(base, Unknown) for base in self.external_bases())

    def find(self, name: str) -> Value | None:
        for cls in self.ancestry() if len(self.bases) < 2 else self.order():
            if name in cls.members:
                return cls.members[name]
        return None

    def __repr__(self) -> str:
        return f"class {self.name}"


class Instance(Value):
    """An object of a workspace class; attributes are written by interpreting its methods."""

    __slots__ = ("args", "attrs", "cls", "depth", "factory", "kwargs", "setting_up", "tried")

    def __init__(self, cls: Class, origin: Step | None = None) -> None:
        self.cls = cls
        # the call of a library's function that made it: what a person knows it by
        self.factory: Obj | None = None
        self.attrs: dict[str, Value] = {}
        self.args: list[Value] = []
        self.kwargs: dict[str, Value] = {}
        self.tried: set[str] = set()
        self.depth = 0
        self.setting_up = False
        self.origin = origin

    def __repr__(self) -> str:
        return f"{self.cls.name}()"


class Obj(Value):
    """An object made by calling an external class or factory: an optimizer, a loader, a layer, a transform.

    `args` and `kwargs` are the arguments as given; `kind` is what the op table says it is (`optimizer`, `loader`,
    `scheduler`, `loss`, `module`, `scaler`, `dataset`, `transform`, `parser`, …).
    """

    __slots__ = ("args", "attrs", "born", "file", "kind", "kwargs", "name", "node")

    def __init__(
        self,
        name: str,
        kind: str,
        node: ir.Expr | None = None,
        args: list[Value] | None = None,
        kwargs: dict[str, Value] | None = None,
        origin: Step | None = None,
        file: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.node = node
        self.args = args if args is not None else []
        self.kwargs = kwargs if kwargs is not None else {}
        self.attrs: dict[str, Value] = {}
        self.origin = origin
        self.file = file
        # when the program made it; see `Run.attribute_floor`
        self.born = 0

    def arg(self, index: int, name: str) -> Value | None:
        """The constructor argument by position or keyword, None where it was not given."""
        if name in self.kwargs:
            return self.kwargs[name]
        if 0 <= index < len(self.args):
            return self.args[index]
        return None

    @property
    def spilled(self) -> bool:
        """True where a `*` or `**` argument hides what was given."""
        return "**" in self.kwargs or "*" in self.kwargs

    def __repr__(self) -> str:
        return f"<{self.name}>"


def alternatives(value: Value) -> tuple[Value, ...]:
    """The values a value may be, flat."""
    return value.values if isinstance(value, OneOf) else (value,)


def known(value: Value | None) -> Any:
    """The Python scalar of a Const, else None. None constants are None as well: use `is_none` to tell."""
    return value.value if isinstance(value, Const) else None


def number(value: Value | None) -> float | int | None:
    """The number of a Const (bool excluded), else None."""
    if isinstance(value, Const) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
        return value.value
    return None


def is_none(value: Value | None) -> bool:
    return isinstance(value, Const) and value.value is None


def assumed_truth(value: Value | None) -> bool | None:
    """Truth where defaults are taken as they are: None only where the value is not known."""
    if isinstance(value, Unknown) and value.promised == UNSET:
        return False
    return bool(value.value) if isinstance(value, Const) else truth(value)


def truth(value: Value | None) -> bool | None:
    """Three-valued truth: None where it is not known or where it passes through an overridable default."""
    if isinstance(value, Const):
        return None if value.default else bool(value.value)
    if isinstance(value, Ext):
        # a class or a module; a lower-case attribute of a library may be a flag
        return True if value.name[value.name.rfind(".") + 1 :][:1].isupper() or "." not in value.name else None
    if isinstance(value, (Func, Class, Instance, Obj)):
        return True
    if isinstance(value, Seq) and value.items is not None:
        return bool(value.items)
    if isinstance(value, Mapping):
        return True if value.items else None if value.open else False
    return None
