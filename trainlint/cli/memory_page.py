"""A memory report as one HTML page that needs nothing else: styles, the chart's library and the data are inside.

The chart is drawn by uPlot (MIT, `page/LICENSE.uplot.txt`); without JavaScript the tables say the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any, TypeAlias

from trainlint.cli.memory_text import and_cudnn, at_ease, percent
from trainlint.memory.wording import size

# from the bottom of the chart to its top: what lasts, then what comes and goes
ROLES = ("parameters", "buffers", "optimizer", "gradients", "batch", "workspace", "activations", "temporary")
NAMES = {"optimizer": "optimizer state", "workspace": "workspace of libraries"}
MOST_LINES = 40

Told: TypeAlias = "dict[str, Any]"
# a place of the report → the text of its line
Source: TypeAlias = Callable[[Told], str]


def as_page(told: Told, source: Source) -> str:
    """The page of a report as `trainlint memory --output-format json` prints it, with its course."""
    title = f"Memory of {told['path']}"
    parts = [heading(told), figures(told), unknown(told), course(told), terms(told), lines(told, source)]
    parts += [beside(told), findings(told), batches(told), gpus(told), remedies(told), notes(told), footer(told)]
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    styles = f"<style>{part('uplot.css')}{part('page.css')}</style>"
    scripts = f"<script>{part('uplot.js')}</script><script>{part('page.js')}</script>"
    body = "\n".join(text for text in parts if text)
    return f"<!doctype html><html lang='en'><head>{head}{styles}</head><body>\n{body}\n{scripts}</body></html>\n"


def part(name: str) -> str:
    return (files("trainlint.cli") / "page" / name).read_text(encoding="utf-8")


def heading(told: Told) -> str:
    loop, batch = told.get("loop") or {}, told["batch_size"]
    where = written(loop) if loop.get("line") else told["path"]
    what = f"measured {told['how']}" if told.get("measured") else "estimated without running the code"
    at = f"one training step at batch size {batch:,}" if batch else "one training step"
    epoch = f", {told['iterations']:,} steps an epoch" if told.get("iterations") else ""
    return f"<h1>{escape(where)}</h1><p class='soft'>{at}{epoch} · {escape(what)}</p>"


def figures(told: Told) -> str:
    """The three sums and whether they fit."""
    peak = told["peak"]
    least = "" if told["complete"] else "about " if told.get("measured") or told.get("assumed") else "at least "
    at = peak["at"]
    rows = [
        (least + size(peak["allocated"]), f"tensors at the peak, in the {at['phase']} at line {at['line']}"),
        (least + size(peak["reserved"]), "reserved by PyTorch"),
    ]
    if peak.get("device"):
        ends = [size(end) for end in peak.get("device_range") or ()]
        span = f" ({' to '.join(ends)})" if ends else ""
        rows.append(
            (
                f"{least or 'about '}{size(peak['device'])}",
                f"of the GPU with the CUDA context{and_cudnn(peak, size)}{span}",
            )
        )
    fit = told.get("fits")
    if fit:
        answer = {True: "fits", False: "does not fit", None: "may fit"}[fit["fits"]]
        largest = f", largest batch size {fit['largest_batch']:,}" if fit["largest_batch"] else ""
        rows.append((answer, f"{fit['gpu']}, {size(fit['capacity'])} usable{largest}{at_ease(fit)}"))
    return (
        f"<ul class='figures'>{''.join(f'<li><b>{escape(a)}</b><span>{escape(b)}</span></li>' for a, b in rows)}</ul>"
    )


def unknown(told: Told) -> str:
    assumed = told.get("assumed", 0)
    left_out = "Not known:" if told.get("measured") else "Not known, and left out of the sums:"
    found = {"Not known, and assumed:": told["unknown"][:assumed], left_out: told["unknown"][assumed:]}
    return "".join(reasons(title, each) for title, each in found.items() if each)


def reasons(title: str, found: Sequence[Told]) -> str:
    items = "".join(
        f"<li>{escape(written(each) + ': ' if each['line'] else '')}{escape(each['what'])}</li>" for each in found
    )
    return f"<div class='unknown'><p>{title}</p><ul>{items}</ul></div>"


def beside(told: Told) -> str:
    """The static estimate of the same loop beside what was measured."""
    from trainlint.cli.comparison_text import NAMES as FIGURES
    from trainlint.cli.comparison_text import changed

    rows = [
        [
            FIGURES.get(name, NAMES.get(name, name)),
            *(size(each) if each is not None else "not known" for each in (row["old"], row["new"])),
            changed(row),
            row["why"] or "",
        ]
        for name, row in (told.get("estimate") or {}).items()
    ]
    return section("Beside the estimate", ("", "estimated", "measured", "difference", "likely reason"), rows, {1, 2, 3})


def findings(told: Told) -> str:
    rows = [[written(each), each["code"], each["level"], each["message"]] for each in told.get("findings") or []]
    return section("What the step showed", ("line", "code", "level", "finding"), rows, ())


def notes(told: Told) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in told.get("notes") or [])
    return f"<h2>Notes</h2><ul class='notes'>{items}</ul>" if items else ""


def course(told: Told) -> str:
    """The chart: bytes by role over the events of the step."""
    points = told.get("timeline") or []
    if not points:
        return ""
    roles = [role for role in ROLES if any(point["terms"].get(role) for point in points)]
    if not roles:
        # a snapshot does not say what storages are for
        roles, points = ["allocated"], [{**point, "terms": {"allocated": point["allocated"]}} for point in points]
    starts, phases, at = [], [], 0
    for phase, group in groupby(points, key=lambda point: str(point["phase"])):
        starts.append(at)
        phases.append(phase)
        at += len(list(group))
    data = {"roles": roles, "points": points, "starts": starts, "phases": phases}
    # `</script>` inside of a string would end the element
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    legend = "".join(f"<li><i style='background:var(--{role})'></i>{NAMES.get(role, role)}</li>" for role in roles)
    label = "Allocated memory by role over the events of one training step; the tables below have the figures"
    return (
        f"<h2>Over the step</h2><ul class='legend'>{legend}</ul><div id='chart' role='img' aria-label='{label}'></div>"
        f"<script type='application/json' id='course'>{text}</script>"
    )


def terms(told: Told) -> str:
    peak = told["peak"]
    shown = [(role, peak["terms"].get(role, 0)) for role in ROLES if peak["terms"].get(role)]
    shown.sort(key=lambda item: -item[1])
    rows = [
        [
            NAMES.get(role, role),
            size(number),
            percent(number, peak["allocated"]).strip(),
            strip(role, number, shown),
        ]
        for role, number in shown
    ]
    return section("At the peak", ("what", "bytes", "share", ""), rows, {1, 2}, {3})


def strip(role: str, number: int, shown: Sequence[tuple[str, int]]) -> str:
    width = 100 * number / max(shown[0][1], 1)
    return f"<div style='width:{width:.1f}%;background:var(--{role})'></div>"


def lines(told: Told, source: Source) -> str:
    heavy = [line for line in told["lines"] if line["held"] or line.get("saved")]
    heavy.sort(key=lambda line: -line["held"])
    rows = []
    for line in heavy[:MOST_LINES]:
        saved = size(line["saved"]) if line.get("saved") else ""
        rows.append([escape(written(line)), size(line["held"]), saved, f"<code>{escape(source(line))}</code>"])
    note = f"{len(heavy) - MOST_LINES} lines more hold less" if len(heavy) > MOST_LINES else ""
    return section("By line", ("line", "held at the peak", "kept for backward", "code"), rows, {1, 2}, {0, 3}, note)


def batches(told: Told) -> str:
    rows = [
        [f"{other['batch']:,}", size(other["allocated"]), size(other["reserved"]), size(other["device"])]
        for other in told.get("what_if") or []
    ]
    return section("Other batch sizes", ("batch size", "tensors", "reserved", "of the GPU"), rows, {0, 1, 2, 3})


def gpus(told: Told) -> str:
    words = {True: "fits", False: "does not fit", None: "not known"}
    rows = [
        [
            each["gpu"],
            size(each["capacity"]),
            words[each["fits"]],
            f"{each['largest_batch']:,}" if each["largest_batch"] is not None else "",
        ]
        for each in told.get("gpus") or []
    ]
    return section("On other GPUs", ("GPU", "usable", "this step", "largest batch size"), rows, {1, 3})


def remedies(told: Told) -> str:
    rows = [[remedy["title"], size(remedy["saves"])] for remedy in told.get("remedies") or []]
    return section("What would lower the peak", ("change", "saves"), rows, {1})


def section(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Iterable[int],
    markup: Iterable[int] = (),
    note: str = "",
) -> str:
    """A table; cells are text, but for the columns of `markup`. Nothing where there are no rows."""
    if not rows:
        return ""
    right, raw = set(numbers), set(markup)

    def cell(tag: str, at: int, text: str) -> str:
        kind = " class='number'" if at in right else " class='bar'" if text.startswith("<div") else ""
        return f"<{tag}{kind}>{text if at in raw and tag == 'td' else escape(text)}</{tag}>"

    head = "".join(cell("th", at, text) for at, text in enumerate(header))
    body = "".join("<tr>" + "".join(cell("td", at, text) for at, text in enumerate(row)) + "</tr>" for row in rows)
    after = f"<p class='soft'>{escape(note)}</p>" if note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<h2>{escape(title)}</h2><div class='scroll'>{table}</div>{after}"


def written(place: Told) -> str:
    """`train.py:31`, `notebook.ipynb, cell 3, line 2`."""
    cell = place.get("cell")
    return f"{place['path']}:{place['line']}" if cell is None else f"{place['path']}, cell {cell}, line {place['line']}"


def footer(told: Told) -> str:
    kept = "what it made and backward finds alive" if told.get("measured") else KEPT
    return (
        "<footer>Sizes are powers of 1024. “Held” is what the allocations of a line hold at the peak; “kept for "
        f"backward” is {kept}.</footer>"
    )


KEPT = "what its operations need again, also where another line made it"
