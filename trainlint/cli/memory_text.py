"""The object of `trainlint memory` or `trainlint measure` as text for a terminal: terms with bars, lines, remedies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainlint.cli.style import LEVEL_COLOURS, Style, harmless, width

BAR = 24
# `plain` puts # in its place
BLOCK = "█"
MOST_LINES = 12
MOST_UNKNOWN = 8
# roles of a phase that are named
MOST_SHARES = 3
LABELS = {"optimizer": "optimizer state", "workspace": "cuBLAS workspace", "temporary": "temporary"}


def as_text(told: Mapping[str, Any], style: Style, columns: int = 80) -> list[str]:
    """The lines of the report, none wider than `columns` but where a name is."""
    blocks = [
        _head(told, style),
        _peak(told, style),
        _fits(told, style),
        _course(told, style),
        _ranks(told, style),
        _lines(told, style, columns),
        _beside(told, style),
        _findings(told, style),
        _remedies(told, style),
        _unknown(told, style),
        [f"note: {harmless(note)}" for note in told.get("notes", ())],
    ]
    result: list[str] = []
    for block in blocks:
        if block:
            result += [*block, ""]
    return result[:-1]


def plain(text: str, encoding: str) -> str:
    """The text for a console: # for bars that it cannot show, a question mark for anything else."""
    try:
        BLOCK.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        text = text.replace(BLOCK, "#")
    return text


def human(size: int) -> str:
    """Bytes as a person reads them."""
    number = float(size)
    for unit in ("B", "KiB", "MiB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 99.95 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} GiB"


def where(place: Mapping[str, Any]) -> str:
    """`train.py:31`, `notebook.ipynb:cell 3:2`; empty where no line is meant."""
    if place.get("path") is None:
        return ""
    cell = "" if place.get("cell") is None else f"cell {place['cell']}:"
    return harmless(f"{place['path']}:{cell}{place['line']}")


def least(told: Mapping[str, Any]) -> str:
    """Every sum of an estimate is a lower bound where something is not known, but not where something was assumed or
    measured."""
    if told["complete"]:
        return ""
    return "about " if told.get("measured") or told.get("assumed") else "at least "


def _head(told: Mapping[str, Any], style: Style) -> list[str]:
    given = "" if told.get("measured") else " (`--batch-size N` gives one)"
    size = told["batch_size"]
    batch = f", batch size {size:,}" if size is not None else f", batch size not known{given}"
    epoch = f", {told['iterations']:,} steps an epoch" if told.get("iterations") else ""
    name = f" of {harmless(told['loop']['name'])}" if told.get("loop") and told["loop"].get("name") else ""
    place = where(told["loop"]) if told.get("loop") else harmless(told["path"])
    result = [f"{style.paint(place, 'bold')}  one training step{name}{batch}{epoch}"]
    if told.get("measured"):
        result.append(f"measured: {harmless(told['how'])}")
    return result


def and_cudnn(peak: Mapping[str, Any], human: Callable[[int], str]) -> str:
    """What cuDNN takes while convolutions run, where it is worth a word."""
    taken, asked = peak.get("convolution_workspaces") or 0, peak.get("convolution_workspaces_asked") or 0
    if not asked or asked < peak["device"] // 100:
        return ""
    less = f", which take {human(asked)} where there is room" if asked > taken else ""
    return f" and {human(taken)} for cuDNN's convolutions{less}"


def at_ease(fits: Mapping[str, Any]) -> str:
    """Up to which batch size cuDNN is not short of memory, where that is less than what fits."""
    eased, largest = fits.get("largest_at_ease"), fits["largest_batch"]
    if eased is None or not largest or eased >= largest:
        return ""
    return f" (up to {eased:,} cuDNN's convolutions have all the room that they take)" if eased else ""


def _peak(told: Mapping[str, Any], style: Style) -> list[str]:
    peak, at = told["peak"], told["peak"]["at"]
    first = f"peak {least(told)}{human(peak['allocated'])}"
    result = [f"{style.paint(first, 'bold')} of tensors, {human(peak['reserved'])} reserved by PyTorch"]
    if peak.get("device"):
        low, high = peak["device_range"]
        result.append(
            f"{least(told).removesuffix('about ')}about {human(peak['device'])} of the GPU with the CUDA "
            f"context{and_cudnn(peak, human)} ({human(low)} to {human(high)})"
        )
    if where(at):
        result.append(f"reached in the {at['phase']}, at {where(at)}")
    labels = {**LABELS, "workspace": "buffers of libraries"} if told.get("measured") else LABELS
    shares = [(labels.get(name, name), size) for name, size in peak["terms"].items() if size]
    shares.sort(key=lambda share: -share[1])
    return [*result, *_bars(shares, peak["allocated"], style)]


def _bars(shares: Sequence[tuple[str, int]], whole: int, style: Style) -> list[str]:
    room = max((width(name) for name, _ in shares), default=0)
    most = max((size for _, size in shares), default=1)
    return [
        f"  {name}{' ' * (room - width(name))}  {human(size):>9}  {percent(size, whole)}  "
        f"{style.paint(bar(size, most), 'cyan')}"
        for name, size in shares
    ]


def percent(size: int, whole: int) -> str:
    return f"{share:3.0f} %" if (share := 100 * size / max(whole, 1)) >= 0.5 else " <1 %"


def bar(size: int, most: int) -> str:
    return BLOCK * max(1, round(BAR * size / max(most, 1)))


def _fits(told: Mapping[str, Any], style: Style) -> list[str]:
    result = []
    if told.get("fits"):
        fits = told["fits"]
        gpu = f"{harmless(fits['gpu'])}, {human(fits['capacity'])} usable"
        word, colour = {
            True: ("fits on", "green"),
            False: ("does not fit on", "red"),
            None: ("not known to fit on", "yellow"),
        }[fits["fits"]]
        largest = fits["largest_batch"]
        tail = (
            "" if largest is None else f"; largest batch size {largest:,}" if largest else "; not with any batch size"
        )
        tail += at_ease(fits)
        result.append(style.paint(f"{word} {gpu}", colour) + tail)
    for other in told.get("what_if") or ():
        result.append(
            f"  batch size {other['batch']:,}: peak {least(told)}{human(other['allocated'])}, "
            f"{human(other['device'])} of the GPU"
        )
    return result


def _lines(told: Mapping[str, Any], style: Style, columns: int) -> list[str]:
    heavy = [line for line in told["lines"] if line["held"]][:MOST_LINES]
    if not heavy:
        return []
    names = [where(line) for line in heavy]
    room = min(max(map(len, names)), max(20, columns - 42))
    result = [style.paint("held at the peak, by line", "bold")]
    for name, line in zip(names, heavy, strict=True):
        shown = name if len(name) <= room else "…" + name[1 - room :]
        what = harmless(line["what"] or "").removeprefix("torch.").removeprefix("nn.functional.")
        shape = f" {line['shape'].replace(' ', '×')}" if line["shape"] else ""
        left = columns - room - 4 - 9 - 2
        result.append(f"  {shown:{room}}  {human(line['held']):>9}  {(what + shape)[:left]}".rstrip())
    rest = sum(line["held"] for line in told["lines"][MOST_LINES:])
    if rest:
        result.append(f"  {'the other lines':{room}}  {human(rest):>9}")
    return result


def _course(told: Mapping[str, Any], style: Style) -> list[str]:
    """The highest point of each phase of a measured step, and its largest shares."""
    points = told.get("timeline") or ()
    if not told.get("measured") or not points:
        return []
    highest: dict[str, Mapping[str, Any]] = {}
    for point in points:
        known = highest.get(point["phase"])
        if known is None or point["allocated"] > known["allocated"]:
            highest[point["phase"]] = point
    result = [style.paint("at most, by phase", "bold")]
    for phase in ("forward", "backward", "optimizer"):
        if phase not in highest:
            continue
        point = highest[phase]
        shares = sorted(((size, role) for role, size in point["terms"].items() if size), reverse=True)[:MOST_SHARES]
        roles = ", ".join(f"{LABELS.get(role, role)} {human(size)}" for size, role in shares)
        result.append(f"  {phase:10} {human(point['allocated']):>9}  {roles}".rstrip())
    return result


def _ranks(told: Mapping[str, Any], style: Style) -> list[str]:
    """The peaks of all ranks; the figures above are those of the highest one."""
    ranks = told.get("ranks")
    if not ranks:
        return []
    rows = [
        f"  rank {each['rank']}: peak {human(each['peak']['allocated'])}, {human(each['peak']['reserved'])} reserved"
        for each in ranks
    ]
    return [style.paint(f"by rank; the figures of rank {told['rank']} are shown", "bold"), *rows]


def _beside(told: Mapping[str, Any], style: Style) -> list[str]:
    """The static estimate of the same loop beside what was measured."""
    if not told.get("estimate"):
        return []
    from trainlint.cli.comparison_text import as_text

    head = style.paint("beside the estimate of `trainlint memory`", "bold")
    return [head, *as_text(told["estimate"], ("estimated", "measured"), style)]


def _findings(told: Mapping[str, Any], style: Style) -> list[str]:
    return [
        f"{where(found)}: {style.paint(found['level'], LEVEL_COLOURS[found['level']])}[{found['code']}]: "
        f"{harmless(found['message'])}"
        for found in told.get("findings") or ()
    ]


def _remedies(told: Mapping[str, Any], style: Style) -> list[str]:
    found = told.get("remedies") or []
    if not found:
        return []
    lines = [f"  {'-' + human(remedy['saves']):>10}  {harmless(remedy['title'])}" for remedy in found]
    return [style.paint("what would lower the peak", "bold"), *lines]


def _unknown(told: Mapping[str, Any], style: Style) -> list[str]:
    assumed = told.get("assumed", 0)
    left_out = "" if told.get("measured") else ", and left out of the sums"
    return [
        *_named("not known, and assumed:", told["unknown"][:assumed], style),
        *_named(f"not known{left_out}:", told["unknown"][assumed:], style),
    ]


def _named(title: str, found: Sequence[Mapping[str, Any]], style: Style) -> list[str]:
    if not found:
        return []
    result = [style.paint(title, "yellow")]
    for each in found[:MOST_UNKNOWN]:
        place = where(each)
        result.append(f"  {place + ': ' if place else ''}{harmless(each['what'])}")
    if len(found) > MOST_UNKNOWN:
        result.append(f"  and {len(found) - MOST_UNKNOWN} more")
    return result
