"""Values in one line, tensors in the notation of jaxtyping: `Float32[Tensor, "B 3 224 224"]`."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, axis
from trainlint.analysis.values import (
    Atom,
    Const,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Place,
    Range,
    Round,
    Seq,
    Sym,
    Value,
    is_none,
)
from trainlint.syntax import ir

# an axis that takes more room gets a letter, which is explained
LONGEST_AXIS = 14
TYPES = {"torch": "Tensor", "numpy": "ndarray", "pil": "Image"}
RANGES = {
    "255": "0–255",
    "unit": "0–1",
    "norm": "normalised",
    "prob": "probabilities (softmax)",
    "logprob": "log-probabilities",
    "sigmoid": "probabilities (sigmoid)",
    "index": "class indices (argmax)",
    "label": "labels",
    "logits": "scores (no activation)",
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
COLOURS = {"RGB?": "RGB or grey", "BGR?": "BGR or grey", "GRAY": "grey"}


def code(text: str) -> str:
    """Text of the user as inline code of Markdown, whatever back-quotes it has."""
    text = " ".join(text.split()) or " "
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def jax_dtype(name: str | None) -> str:
    """`float32` → `Float32`, `bfloat16` → `BFloat16`, `uint8` → `UInt8`; `Shaped` where it is not known."""
    if name is None:
        return "Shaped"
    for prefix in ("bfloat", "uint"):
        if name.startswith(prefix):
            return f"{prefix[0].upper()}{prefix[1].upper()}{name[2:]}"
    return name[:1].upper() + name[1:]


def sizes(array: Array) -> list[Value | None] | None:
    """The axes that are known, from the layout where there is no shape; None where not even the rank is."""
    if array.shape is not None:
        return list(array.shape)
    if array.layout is not None:
        channels = Const(array.channels) if array.channels is not None else None
        tail = [axis(array, at - len(array.layout)) for at in range(len(array.layout))]
        return [t or (channels if letter == "C" else None) for t, letter in zip(tail, array.layout, strict=True)]
    return None


class Letters:
    """Axes as text; those that are too long for it get letters, which `notes` explain with the symbols."""

    def __init__(self) -> None:
        self.long: dict[str, str] = {}
        self.atoms: dict[str, Atom] = {}

    def axis(self, value: Value | None) -> str:
        if isinstance(value, OneOf):
            options = dict.fromkeys(self.axis(option) for option in value.values)
            return "_" if "_" in options or len(options) > 4 else "|".join(options)
        found = dims.text(value).replace(" ", "")
        for atom in atoms_of(value):
            self.atoms.setdefault(atom.name, atom)
        if len(found) <= LONGEST_AXIS:
            return found
        if found not in self.long:
            free = (c for c in "hwdklmnpqrstuvxyz" if c not in self.long.values() and c not in self.atoms)
            self.long[found] = next(free, "_")
        return self.long[found]

    def notes(self) -> list[str]:
        """`B = 64 (`batch_size`, line 12)`."""
        lines = [f"{letter} = {code(text)}" for text, letter in self.long.items() if len(text) <= 120]
        for name, atom in self.atoms.items():
            usual = dims.usual_atom(atom)
            if atom.value is not None and usual is not None:
                where = source_of(atom.value)
                lines.append(f"{code(name)} = {usual:,}" + (f" ({where})" if where else ""))
            elif isinstance(atom.key, tuple) and atom.key[:1] == ("batch",):
                lines.append(f"{code(name)}: the batch size, which is not known here")
        return lines


def atoms_of(value: Value | None) -> Iterator[Atom]:
    """The symbols in a size, those inside of quotients too."""
    for option in value.values if isinstance(value, OneOf) else (value,):
        poly = option.poly if isinstance(option, Sym) else ()
        for factors, _ in poly:
            for atom in factors:
                key = atom.key
                if isinstance(key, tuple) and len(key) == 3 and key[0] in ("//", "%"):
                    yield from (*atoms_of(Sym.of(key[1])), *atoms_of(Sym.of(key[2])))
                else:
                    yield atom


def source_of(value: Value) -> str:
    """`` `batch_size`, line 12``, or the overridable source of a constant, an empty text where neither is known."""
    default = value.default if isinstance(value, (Const, Sym)) else None
    default = code(default.replace("`", "")) if default else None
    literal = value.literal if isinstance(value, Const) else None
    origin = value.origin
    place = literal if literal is not None else origin.place if origin is not None else None
    if place is None:
        return f"the default of {default}" if default else ""
    where = f"line {place.line}"
    if default:
        return f"the default of {default}, {where}"
    name = target_of(place)
    return f"{code(name)}, {where}" if name else where


def target_of(place: Place) -> str:
    """The name that the statement at a place assigns."""
    stmt = place.node.stmt if isinstance(place.node, ir.Expr) else place.node
    if isinstance(stmt, ir.Assign) and len(stmt.targets) == 1 and stmt.value is place.node:
        target = stmt.targets[0]
        return target.id if isinstance(target, ir.Name) else target.name if isinstance(target, ir.Attr) else ""
    return ""


def signature(array: Array, letters: Letters) -> str:
    """`Float32[Tensor, "B 3 224 224"]`, the type alone where nothing is known of dtype and shape."""
    kind = TYPES.get(array.lib, "Array")
    known = sizes(array)
    if known is not None:
        axes = " ".join(letters.axis(size) for size in known)
    elif array.tail is not None:
        axes = " ".join(["...", *(letters.axis(size) for size in array.tail)])
    elif array.dtype is None:
        return kind
    else:
        axes = "..."
    return f'{jax_dtype(array.dtype)}[{kind}, "{axes}"]'


def tags(array: Array) -> list[str]:
    """Layout, colour, range, device and graph, those that are known."""
    parts = [array.layout, COLOURS.get(array.colour or "", array.colour)]
    if array.channels is not None and array.colour is None and sizes(array) is None:
        parts.append(f"{array.channels} channels")
    parts.append(range_text(array))
    if array.device not in (None, "given"):
        parts.append(array.device)
    if array.grad is True:
        parts.append("graph")
    elif array.grad is False and array.lib == "torch":
        parts.append("no graph")
    if array.likely:
        parts.append("assumed")
    return [part for part in parts if part]


def range_text(array: Array) -> str | None:
    """`0–1`, `normalised (ImageNet statistics)`, `labels 0–9`."""
    if array.range == "norm" and array.stats is not None:
        if all(map(close, array.stats, IMAGENET)):
            return "normalised (ImageNet statistics)"
        mean, std = (", ".join(f"{n:g}" for n in dict.fromkeys(numbers)) for numbers in array.stats)
        return f"normalised (mean {mean}; std {std})"
    classes = dims.usual(array.classes)
    if array.range == "label" and classes is not None:
        return f"labels 0–{classes - 1}"
    return RANGES.get(array.range or "")


def close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return len(a) == len(b) and all(abs(x - y) < 5e-3 for x, y in zip(a, b, strict=True))


def words(value: Value, letters: Letters | None = None) -> str:
    """One line of Markdown about a value."""
    letters = letters if letters is not None else Letters()
    if isinstance(value, Const):
        return code(repr(value.value))
    if isinstance(value, Array):
        return " · ".join([code(signature(value, letters)), *tags(value)])
    if isinstance(value, OneOf):
        return " or ".join(dict.fromkeys(words(v, letters) for v in value.values))
    if isinstance(value, Range):
        return f"a number from {value.low} to {value.high}"
    if isinstance(value, Sym):
        counts = any(isinstance(atom.key, Round) for atom in atoms_of(value))
        usual = dims.usual(value) if not counts else None
        return code(value.name) + (f" = {usual:,}" if usual is not None else "")
    if isinstance(value, Obj):
        return parameter_words(value, letters) if value.kind == "parameter" else code(called(value))
    if isinstance(value, Instance):
        return code(value.cls.name)
    if isinstance(value, Seq):
        return sequence_words(value, letters)
    if isinstance(value, Mapping):
        return "dict with " + ", ".join(code(str(k)) for k in list(value.items)[:8]) if value.items else "dict"
    return code(repr(value))


def parameter_words(value: Obj, letters: Letters) -> str:
    data = value.arg(0, "data")
    inside = signature(data, letters) if isinstance(data, Array) else "Tensor"
    return code(inside.replace("Tensor", "Parameter"))


def sequence_words(value: Seq, letters: Letters) -> str:
    """A short sequence with its items, a long one with its length."""
    if value.items is None:
        return f"{value.kind} of {words(value.elem, letters)}" if isinstance(value.elem, (Array, Obj)) else value.kind
    if all(isinstance(item, Const) for item in value.items) and len(value.items) <= 8:
        inside = ", ".join(repr(item.value) for item in value.items if isinstance(item, Const))
        comma = "," if len(value.items) == 1 else ""
        return code(f"({inside}{comma})" if value.kind == "tuple" else f"[{inside}]")
    return f"{value.kind} of {len(value.items)}"


def short(name: str) -> str:
    """The class of a qualified name."""
    return name.rpartition(".")[2]


# arguments that go without saying where they are given as positions
_MOST_ARGUMENTS = 5


def called(value: Obj) -> str:
    """`Conv2d(3, 64, 7, stride=2)`: the class with those arguments that are short."""
    given = [argument(a) for a in value.args] + [
        f"{key}={argument(a)}" for key, a in value.kwargs.items() if key not in ("*", "**")
    ]
    if not given or value.kind not in ("module", "loss", "transform", "scheduler"):
        return short(value.name)
    if any(part.endswith("…") for part in given) or len(given) > _MOST_ARGUMENTS:
        given = [part for part in given if not part.endswith("…")][:_MOST_ARGUMENTS]
        given.append("…")
    return f"{short(value.name)}({', '.join(given)})" if given != ["…"] else short(value.name)


def argument(value: Value) -> str:
    """A number, word or size as it is written; `…` for all else."""
    if isinstance(value, Const) and (is_none(value) or isinstance(value.value, (bool, int, float, str))):
        text = repr(value.value)
        return text if len(text) <= 20 else "…"
    if isinstance(value, Sym):
        return value.name if len(value.name) <= LONGEST_AXIS else "…"
    if isinstance(value, Seq) and value.items is not None and len(value.items) <= 3:
        inside = ", ".join(map(argument, value.items))
        comma = "," if len(value.items) == 1 else ""
        return "…" if "…" in inside else f"({inside}{comma})" if value.kind == "tuple" else f"[{inside}]"
    return "…"


def amount(value: Value | None) -> str:
    """A number with thousands separated, a symbolic one as it is and what it usually is."""
    usual = dims.usual(value)
    if usual is None:
        return "?"
    return f"{usual:,}" if isinstance(value, Const) else f"{dims.text(value)} = {usual:,}"


def mebibytes(count: int) -> str:
    """`97.5 MiB`, `1.2 GiB`, `640 B`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"
