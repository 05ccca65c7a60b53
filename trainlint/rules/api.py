"""What a rule may use: the facts, the values, `finding`, and the builders of fixes. Rules import nothing else.

Lines and columns follow `text.place.Span`; `because` gives the related places of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from trainlint.analysis import facts as _facts
from trainlint.analysis.arrays import Array, axis
from trainlint.analysis.devices import on_cpu
from trainlint.analysis.dims import same as same_size
from trainlint.analysis.dims import text as size_text
from trainlint.analysis.dims import usual as usual_size
from trainlint.analysis.facts import (
    AxisChange,
    BaseChange,
    BatchMixed,
    Cond,
    DataLoader,
    Dropped,
    EvalLoop,
    Event,
    ImageUse,
    Loop,
    Loss,
    MemoryDemand,
    Mixed,
    ModuleClass,
    Optimizer,
    Scheduler,
    StatedReference,
    Trace,
    TrainLoop,
    Violation,
    WholeProgram,
)
from trainlint.analysis.image_facts import ColourChange, Normalisation, Refusal, SizeOrder
from trainlint.analysis.joins import element
from trainlint.analysis.loops import holds, loaders_of, same_thing, touches, unwrapped
from trainlint.analysis.modules import is_module
from trainlint.analysis.numeric_facts import Unstable
from trainlint.analysis.parameters import is_weightless
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Place,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
    alternatives,
    is_none,
    known,
    number,
    truth,
)
from trainlint.rules.finding import Certainty, Edit, Fix, Level
from trainlint.rules.registry import Narrowed, rule
from trainlint.syntax import edits as _edits
from trainlint.syntax import ir
from trainlint.syntax.columns import span as _span

if TYPE_CHECKING:
    from trainlint.analysis.values import Step
    from trainlint.text.place import Span

Names = TypeVar("Names")


if TYPE_CHECKING:

    class Call(_facts.Call, Generic[Names]):
        """What a type checker sees of the class below."""

else:

    class _CallMeta(type):
        def __getitem__(cls, names: Any) -> Narrowed:
            given = (names,) if isinstance(names, str) else names
            return Narrowed(_facts.Call, given if isinstance(given, tuple) else get_args(given))

    class Call(metaclass=_CallMeta):
        """`Call[Literal["torch.optim.*"]]` subscribes to the calls of these qualified names."""


@dataclass(frozen=True, slots=True)
class Because:
    """A related place of a finding."""

    place: Place
    message: str


@dataclass(slots=True)
class Draft:
    """A finding as a rule yields it; the engine adds code, level and columns."""

    place: Place
    message: str
    because: tuple[Because, ...] = ()
    fixes: tuple[Fix, ...] = ()
    certainty: Certainty = "proved"
    level: Level | None = None


def finding(
    where: Place | Any,
    message: str,
    *,
    because: Sequence[Because] | Because = (),
    fix: Fix | Sequence[Fix | None] | None = None,
    default: str | None = None,
    likely: bool = False,
    level: Level | None = None,
    **names: object,
) -> Draft:
    """A finding at a place (or at something that has one). Holes `{name}` of the message are filled from `names`.

    `default` names the overridable source that the finding rests on, `likely` an assumption: both lower the level by
    one step; `level` replaces the rule's own level before that.
    """
    place = where if isinstance(where, Place) else where.place
    fixes = [fix] if isinstance(fix, Fix) else list(fix or ())
    related = (because,) if isinstance(because, Because) else tuple(because)
    certainty: Certainty = "likely" if likely else "default" if default else "proved"
    text = message.format(**names) if names else message
    return Draft(place, text, related, tuple(f for f in fixes if f is not None), certainty, level)


def at(file: Any, node: ir.Expr | ir.Stmt) -> Place:
    """The place of a node of a file."""
    return Place(file.path, node)


def memory_text(count: int) -> str:
    """Bytes as a person writes them: `5.1 GiB`."""
    from trainlint.memory.wording import size

    return size(count)


def shown(value: float | int | object) -> str:
    """A number as a person writes it: 0.8, 1e-05, 256."""
    if isinstance(value, float):
        return f"{value:.4g}" if value != int(value) or abs(value) >= 1e6 else str(value)
    return str(value)


def origin_of(value: Value | None, what: str) -> tuple[Because, ...]:
    """Where a value was written down, as a related place."""
    if isinstance(value, Const):
        if value.literal is not None:
            return (Because(value.literal, what),)
        if value.origin is not None and value.default is not None:
            return (Because(value.origin.place, what),)
    return ()


def path_of(value: Value) -> tuple[Because, ...]:
    """The steps that made an image or tensor, oldest first."""
    origin: Step | None = getattr(value, "origin", None)
    steps = list(origin) if origin is not None else []
    return tuple(Because(s.place, s.text) for s in reversed(steps) if s.text not in ("literal", "display"))


def by_default(*values: Value | None) -> str | None:
    """The overridable source that one of the values passed through, if any."""
    return next((v.default for v in values if isinstance(v, Const) and v.default), None)


def violated(fact: Violation, message: str, *, fix: Fix | None = None, level: Level | None = None) -> Draft:
    """A finding at a violated requirement. Holes of the message are the sizes and words of the fact by name.

    The related places are where the layer was built and how the first tensor was made.
    """
    words = {k: v if isinstance(v, str) else size_text(v) for k, v in fact.names.items()}
    because = [Because(fact.maker, f"`{fact.op}` is built here")] if fact.maker is not None else []
    tensor = next((v for v in fact.values if isinstance(v, Array)), None)
    if tensor is not None:
        because += path_of(tensor)
        if tensor.via is not None and tensor.via != fact.maker:
            because.append(Because(tensor.via, "the layer before"))
    text = message.format(op=fact.op, **words)
    return finding(fact.place, text, because=because, fix=fix, default=fact.default, likely=fact.likely, level=level)


def shape_text(value: Value | None) -> str:
    """`(B, 3, 32, 32)`, `(…, 10)` where only the last axes are known, an empty text where nothing is."""
    if not isinstance(value, Array):
        return ""
    if value.shape is not None:
        return f"({', '.join(map(size_text, value.shape))}{',' if len(value.shape) == 1 else ''})"
    return f"(…, {', '.join(map(size_text, value.tail))})" if value.tail else ""


def root_of(value: Value) -> Place | None:
    """The place where a value was made: the oldest step of its origin."""
    origin: Step | None = getattr(value, "origin", None)
    places = [s.place for s in origin] if origin is not None else []
    return places[-1] if places else None


def line_of(place: Place) -> int:
    """The line on which the node of a place begins (`Place.line` is that of its statement)."""
    if place.span is not None or place.node is None:
        return place.line
    return _span(place.node).line


def image_of(value: Value) -> Array | None:
    """The image that a use gets, where it is one for certain: None where another value is possible."""
    return value if isinstance(value, Array) else None


def set_by(value: Value, what: str) -> Step | None:
    """The newest step of a value's origin that decided its `layout`, `colour`, `channels` or `range`."""
    origin: Step | None = getattr(value, "origin", None)
    return next((s for s in origin if what in s.sets.split()), None) if origin is not None else None


def history(value: Value, what: str) -> str:
    """`, HWC since line 14 (`cv2.imread`)`-like words: where the layout, colour, channels or range was decided."""
    step = set_by(value, what)
    return f"since line {line_of(step.place)} ({step.text})" if step is not None else ""


def handed_over(use: ImageUse, value: Array) -> Place:
    """Where to report an image that is wrong for a use: at the last step that made it, where that is in the same file.

    That is where the permute or the conversion is missing; the use itself may be a layer that others call rightly.
    """
    step = value.origin
    if step is not None and step.place.path == use.file.path and isinstance(step.place.node, ir.Expr):
        return step.place
    return use.place


def argument_of(node: ir.Expr, index: int = 0) -> ir.Expr | None:
    """The argument of a call where a suffix can stand behind it: a name, attribute, item or call."""
    if not isinstance(node, ir.Call) or len(node.args) <= index:
        return None
    given = node.args[index]
    return given if isinstance(given, (ir.Name, ir.Attr, ir.Subscript, ir.Call)) else None


# fixes


def _fix(
    title: str, path: str, safety: str, changes: Sequence[tuple[Span, str]] | tuple[Span, str] | None
) -> Fix | None:
    if changes is None:
        return None
    pairs = [changes] if isinstance(changes, tuple) and len(changes) == 2 and isinstance(changes[1], str) else changes
    return Fix(title, "safe" if safety == "safe" else "unsafe", tuple(Edit(path, s, t) for s, t in pairs))


def replace(title: str, place: Place, text: str, *, safety: str = "safe") -> Fix | None:
    """Replace the source of a node (or the span of a configuration value)."""
    if place.span is not None:
        return _fix(title, place.path, safety, (place.span, text))
    return _fix(title, place.path, safety, _edits.replace(place.node, text)) if place.node is not None else None


def replace_all(title: str, file: Any, changes: Sequence[tuple[ir.Expr, str]], *, safety: str = "safe") -> Fix | None:
    """Replace the sources of several nodes of one file, None where one of them cannot be."""
    return _fix(title, file.path, safety, [_edits.replace(node, text) for node, text in changes])


def wrap(title: str, place: Place, before: str, after: str, *, safety: str = "safe") -> Fix | None:
    """Put text around the source of an expression."""
    if place.node is None:
        return None
    return _fix(title, place.path, safety, _edits.wrap(place.node, before, after))


def without_call(title: str, place: Place, *, safety: str = "safe") -> Fix | None:
    """`x` in the place of `f(x, …)`."""
    node = place.node
    if not isinstance(node, ir.Call) or not node.args or isinstance(node.args[0], ir.Star):
        return None
    return _fix(title, place.path, safety, _edits.replace(node, source(node.args[0])))


def without_last(title: str, place: Place, holder: ir.Expr | None, *, safety: str = "safe") -> Fix | None:
    """The call `holder` without its last argument, which is the node of the place."""
    if not isinstance(holder, ir.Call) or not holder.args or holder.args[-1] is not place.node:
        return None
    return _fix(title, place.path, safety, _edits.delete_last_argument(holder))


def insert_before(title: str, place: Place, text: str, *, safety: str = "safe") -> Fix | None:
    """A new line before the statement of a place, None where the statement shares its line."""
    stmt = _statement(place)
    return _fix(title, place.path, safety, _edits.insert_line_before(stmt, text)) if stmt is not None else None


def insert_after(title: str, place: Place, text: str, *, safety: str = "safe") -> Fix | None:
    """A new line after the statement of a place, None where the statement shares its line."""
    stmt = _statement(place)
    return _fix(title, place.path, safety, _edits.insert_line_after(stmt, text)) if stmt is not None else None


def insert_argument(title: str, place: Place, text: str, *, safety: str = "safe") -> Fix | None:
    """A new last argument of a call."""
    if not isinstance(place.node, ir.Call):
        return None
    return _fix(title, place.path, safety, _edits.insert_argument(place.node, text))


def _statement(place: Place) -> ir.Stmt | None:
    node = place.node
    return node.stmt if isinstance(node, ir.Expr) else node


def source(node: ir.Expr | ir.Stmt) -> str:
    """The source text of a node."""
    return _edits.source(node)


def dotted(node: ir.Expr | None) -> str:
    """`a.b.c` of a chain of names, else an empty string."""
    from trainlint.analysis.attributes import dotted as chain

    return chain(node) if node is not None and not isinstance(node, ir.Call) else ""


AnyCall = _facts.Call

__all__ = [
    "AnyCall",
    "Array",
    "AxisChange",
    "BaseChange",
    "BatchMixed",
    "Because",
    "Call",
    "Class",
    "ColourChange",
    "Cond",
    "Const",
    "DataLoader",
    "Draft",
    "Dropped",
    "EvalLoop",
    "Event",
    "Ext",
    "Fix",
    "Func",
    "ImageUse",
    "Instance",
    "Loop",
    "Loss",
    "Mapping",
    "MemoryDemand",
    "Mixed",
    "ModuleClass",
    "Normalisation",
    "Obj",
    "OneOf",
    "Optimizer",
    "Place",
    "Range",
    "Refusal",
    "Scheduler",
    "Seq",
    "SizeOrder",
    "StatedReference",
    "Sym",
    "Trace",
    "TrainLoop",
    "Unknown",
    "Unstable",
    "Value",
    "Violation",
    "WholeProgram",
    "alternatives",
    "argument_of",
    "at",
    "axis",
    "by_default",
    "dotted",
    "element",
    "finding",
    "handed_over",
    "history",
    "holds",
    "image_of",
    "insert_after",
    "insert_argument",
    "insert_before",
    "ir",
    "is_module",
    "is_none",
    "is_weightless",
    "known",
    "line_of",
    "loaders_of",
    "memory_text",
    "number",
    "on_cpu",
    "origin_of",
    "path_of",
    "replace",
    "replace_all",
    "root_of",
    "rule",
    "same_size",
    "same_thing",
    "set_by",
    "shape_text",
    "shown",
    "size_text",
    "source",
    "touches",
    "truth",
    "unwrapped",
    "usual_size",
    "violated",
    "without_call",
    "without_last",
    "wrap",
]
