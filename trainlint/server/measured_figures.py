"""What was measured, as an editor shows it: hints behind those of the estimate, titles of lenses, hovers, findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lsprotocol import types as lsp

from trainlint.rules.finding import Finding
from trainlint.server import measured_words
from trainlint.server.checks import Checked
from trainlint.server.client import Client
from trainlint.server.documents import OpenSources, Part, Source
from trainlint.server.figures import MEASURE, Figure
from trainlint.server.hover import content
from trainlint.server.marks import Mark
from trainlint.server.measurements import Measurements, Place, Result, Shown, line_of
from trainlint.server.settings import Settings
from trainlint.text.place import Span

# a measured line is shown from this share of the peak on, whatever the least hint of the settings
SHARE = 1 / 100
END = 1_000_000


def inlay_hints(
    measured: Measurements, part: Part, where: lsp.Range, client: Client, settings: Settings
) -> list[lsp.InlayHint]:
    """`measured 34 MiB` at the ends of lines."""
    result = []
    for mark in measured.of(part):
        found, line = mark.about.result, line_of(mark, part)
        if mark.about.about is None or not where.start.line <= line - 1 <= where.end.line:
            continue
        least = min(settings.least_hint, int(SHARE * found.report["peak"]["allocated"]))
        text = measured_words.hint(mark.about.about, max(least, 1), measured.stale(found))
        if text is not None:
            position = part.body.position(line, END, client.encoding)
            tooltip = content(how(found, measured.stale(found)), client)
            result.append(lsp.InlayHint(position, text, padding_left=True, tooltip=tooltip))
    return sorted(result, key=lambda each: each.position.line)


def with_lenses(lenses: list[lsp.CodeLens], measured: Measurements, part: Part, client: Client) -> list[lsp.CodeLens]:
    """The lenses of the estimate with what was measured; one of its own where the estimate has none."""
    result = list(lenses)
    for mark in loops(measured, part):
        found = mark.about.result
        title = measured_words.lens(found.report, found.estimate, measured.stale(found))
        at = _over(result, mark, part)
        if at is not None:
            command = result[at].command
            assert command is not None
            estimated = command.title.removesuffix(" \u00b7 measure")
            command = lsp.Command(
                f"{estimated} \u00b7 {title} \u00b7 measure again", MEASURE, arguments=command.arguments
            )
            result[at] = lsp.CodeLens(result[at].range, command)
        else:
            position = part.body.position(*part.body.lines.position(mark.start), client.encoding)
            argument = {"uri": part.uri, "line": line_of(mark, part) - 1}
            command = lsp.Command(f"{title} \u00b7 measure again", MEASURE, arguments=[argument])
            result.append(lsp.CodeLens(lsp.Range(position, position), command))
    return result


def _over(lenses: Sequence[lsp.CodeLens], mark: Mark[Shown], part: Part) -> int | None:
    """The lens over the piece of text that runs the step: of several the last whose loop begins before its line."""
    lines, line = part.body.lines, line_of(mark, part) - 1
    first, last = lines.position(mark.start)[0] - 1, lines.position(mark.end)[0] - 1
    best: tuple[int, int] | None = None
    for index, lens in enumerate(lenses):
        arguments = lens.command.arguments if lens.command is not None else None
        loop = arguments[0].get("line", 0) if arguments and isinstance(arguments[0], dict) else lens.range.start.line
        if first <= lens.range.start.line <= last and loop <= line and (best is None or loop >= best[0]):
            best = (loop, index)
    return None if best is None else best[1]


def loops(measured: Measurements, part: Part) -> list[Mark[Shown]]:
    return [mark for mark in measured.of(part) if mark.about.about is None]


def figure_at(measured: Measurements, part: Part, offset: int, loops: Sequence[Place] = ()) -> Figure | None:
    """The tables "estimated / measured" for a line: of the line, and of the step on the first line of its function,
    on the line that runs backward and on the loops around it, and where the offset is on the batch size of `loops`."""
    line = part.body.lines.position(offset)[0]
    texts: list[str] = []
    for found in (each for loop in loops for each in measured.of_loop(loop)):
        texts.append(measured_words.of_step(found.rows, found.report, how(found, measured.stale(found))))
    for mark in measured.of(part):
        found, known = mark.about.result, line_of(mark, part)
        told = how(found, measured.stale(found))
        if mark.about.about is None:
            if line in (known, part.body.lines.position(mark.start)[0]) or _is_loop(part, line, mark, known):
                text = measured_words.of_step(found.rows, found.report, told)
                texts = [text, *(each for each in texts if each != text)]
        elif line == known:
            kept = found.kept.get(_place(mark.about.about))
            texts.append(measured_words.of_line(mark.about.about, mark.about.estimated, kept, told))
    texts = [text for text in texts if text]
    return Figure("\n\n".join(texts), Span(line, 1, line, END), whole=True) if texts else None


def _is_loop(part: Part, line: int, mark: Mark[Shown], backward: int) -> bool:
    """Is a line the head of a loop in the piece, above the line that runs backward?"""
    lines = part.body.lines
    if not lines.position(mark.start)[0] <= line < backward:
        return False
    text = part.body.text[lines.offset(line, 1) : lines.offset(line, END)]
    deep = part.body.text[lines.offset(backward, 1) : lines.offset(backward, END)]
    indent = len(text) - len(text.lstrip())
    return text.lstrip().startswith(("for ", "while ")) and indent < len(deep) - len(deep.lstrip())


def _place(each: Mapping[str, Any]) -> tuple[str, int | None, int]:
    return (each["path"], each["cell"], each["line"])


def how(result: Result, stale: bool) -> str:
    """`measured with fake tensors, nothing computed; … before the last edit`."""
    text = f"measured {result.report['how']}"
    return f"{text}; the text has changed since" if stale else text


def completed(checked: Checked, measured: Measurements, sources: OpenSources) -> Checked:
    """The findings of a check with those that a measured step showed of the same text."""
    source = sources.by_key(checked.snapshot.key)
    if source is None or source.revision != checked.snapshot.revision:
        return checked
    more = findings_of(source, measured)
    if not more:
        return checked
    return replace(checked, findings=tuple(sorted((*checked.findings, *more), key=lambda each: each.sort_key)))


def findings_of(source: Source, measured: Measurements) -> list[Finding]:
    """What a measured step showed of a source, on the present lines."""
    from trainlint.project.runtime_findings import as_finding

    result = []
    for index, line, found in measured.findings(source):
        body = source.parts[index].body
        text = body.text[body.lines.offset(line, 1) : body.lines.offset(line, END)]
        span = Span(line, len(text) - len(text.lstrip()) + 1, line, len(text.rstrip()) + 1)
        cell = index if source.notebook else None
        result.append(replace(as_finding(found, source.path), span=span, cell=cell))
    return result
