"""An estimate in words, for hovers, inlay hints and code lenses: Markdown, short, every figure with its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from trainlint.analysis.notation import short
from trainlint.analysis.values import Obj, Value

if TYPE_CHECKING:
    # the server's first words need no analysis
    from trainlint.memory.estimate import Estimate
    from trainlint.memory.timeline import Role, Where

# a file and a line → `line 12`, `model.py, line 12`, `cell 3, line 2`
Named: TypeAlias = Callable[[str, int], str]

ORDER: tuple[Role, ...] = (
    "parameters",
    "buffers",
    "gradients",
    "optimizer",
    "batch",
    "activations",
    "temporary",
    "workspace",
)
# a share of the peak that is too small to be named beside the others
UNNAMED = 1 / 2000
MOST_LINES = 3
MOST_UNKNOWN = 4


def size(count: int) -> str:
    """`5.1 GiB`, `96 MiB`, `302 KiB`: as many digits as a person reads."""
    number, unit = scaled(count)
    return f"{number} {unit}"


def scaled(count: int) -> tuple[str, str]:
    """The number and the unit of `size`."""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 999.5 or unit == "GiB":
            break
        number /= 1024
    return (f"{number:.1f}" if number < 9.95 and unit != "B" else f"{number:.0f}"), unit


def several(options: Sequence[tuple[int, int]]) -> str:
    """`32 → 2.7 · 128 → 9.9 GiB`: batch sizes and their bytes, a unit where the next one differs."""
    parts = []
    for at, (batch, count) in enumerate(options):
        number, unit = scaled(count)
        same = at + 1 < len(options) and scaled(options[at + 1][1])[1] == unit
        parts.append(f"{batch:,} → {number}" if same else f"{batch:,} → {number} {unit}")
    return " · ".join(parts)


def least(estimate: Estimate) -> str:
    """`at least ` where something is not known, `about ` where something was assumed."""
    return estimate.bound


def peak(estimate: Estimate) -> str:
    """`64 → peak 5.1 GiB`."""
    batch = f"{estimate.batch_size:,} → " if estimate.batch_size is not None else ""
    return f"{batch}peak {least(estimate)}{size(estimate.peak.allocated)}"


def headline(estimate: Estimate, states: str) -> str:
    """`**64 → peak 5.1 GiB**: parameters 97 MiB · …`, the shares of the peak; `states` names what optimizers keep."""
    roles = estimate.peak.roles
    shares = [
        f"{states if role == 'optimizer' else role} {size(roles[role])}"
        for role in ORDER
        if roles.get(role, 0) > UNNAMED * estimate.peak.allocated
    ]
    text = f"**{peak(estimate)}**"
    return f"{text}: {' · '.join(shares)}" if shares else text


def reached(estimate: Estimate, named: Named) -> str:
    """Where the peak is, and what PyTorch reserves for it."""
    place = estimate.peak.line or (estimate.path, estimate.line)
    reserved = f"PyTorch reserves {least(estimate)}{size(estimate.reserved)} for it"
    return f"the peak is reached in the {estimate.peak.phase}, at {named(*place)}; {reserved}"


def heavy(estimate: Estimate, named: Named) -> str:
    """The lines that hold most of what backward finds alive."""
    lines = sorted(((s, w) for w, s in estimate.held.items() if w is not None), reverse=True)
    return " · ".join(f"{named(*where)}: {size(count)}" for count, where in lines[:MOST_LINES])


def unknown(estimate: Estimate, named: Named) -> list[str]:
    """What is not counted, one line each; empty where all is known."""
    found = [f"assumed: {situated(where, named)}{escaped(what)}" for where, what in estimate.assumed]
    found += [f"not counted: {situated(where, named)}{escaped(what)}" for where, what in estimate.unknown]
    if len(found) <= MOST_UNKNOWN:
        return found
    return [*found[: MOST_UNKNOWN - 1], f"and {len(found) - MOST_UNKNOWN + 1} others that are not counted"]


def situated(where: Where, named: Named) -> str:
    return f"{named(*where)}: " if where is not None else ""


def states_of(optimizers: Sequence[Value]) -> str:
    """What the optimizers keep, by name: `SGD momentum`, `AdamW state`."""
    found = {short(o.name): o for o in optimizers if isinstance(o, Obj)}
    if len(found) != 1:
        return "optimizer state"
    name = next(iter(found))
    return "SGD momentum" if name == "SGD" else f"{name} state"


def escaped(text: str) -> str:
    """Text with names of the user in it: no HTML, no links."""
    return text.replace("<", "&lt;").replace("[", "\\[")


def bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
