"""The memory model as an editor shows it: parts of hovers, inlay hints at the ends of lines, code lenses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lsprotocol import types as lsp

from trainlint.server.client import Client
from trainlint.server.documents import Part
from trainlint.server.hover import content
from trainlint.server.models import Shown
from trainlint.server.settings import Settings
from trainlint.text.place import Span

MEASURE = "trainlint.measure"
MOST_TEXTS = 3


class Figure(NamedTuple):
    """Markdown about a range of a text. `whole`: about the line, to stand behind what is said of the expression."""

    text: str
    span: Span
    whole: bool
    # the loops whose batch size it is about: path, cell and line
    loops: tuple[tuple[str, int | None, int], ...] = ()


def figure_at(shown: Sequence[Shown], part: Part, offset: int) -> Figure | None:
    """What the model says about the smallest range around an offset; several loops may say something of the same."""
    around = [mark for one in shown for mark in one.spots if mark.start <= offset <= mark.end]
    if not around:
        return None
    best = min(around, key=lambda mark: (mark.whole, mark.end - mark.start))
    same = [mark for mark in around if (mark.start, mark.end, mark.whole) == (best.start, best.end, best.whole)]
    texts = list(dict.fromkeys(mark.about.text for mark in same))[:MOST_TEXTS]
    lines = part.body.lines
    span = Span(*lines.position(best.start), *lines.position(best.end))
    loops = tuple(dict.fromkeys(mark.about.loop for mark in same if mark.about.loop is not None))
    return Figure("\n\n".join(texts), span, best.whole, loops)


def together(card: str | None, figure: Figure | None) -> str | None:
    """What is known of an expression and what the memory model says, the more special first."""
    if card is None or figure is None or card == "`None`":
        return card if figure is None else figure.text
    parts = (card, figure.text) if figure.whole else (figure.text, card)
    return "\n\n---\n\n".join(parts)


def inlay_hints(
    shown: Sequence[Shown], part: Part, where: lsp.Range, client: Client, settings: Settings
) -> list[lsp.InlayHint]:
    """The bytes that lines keep until backward, at their ends."""
    result = []
    for mark in (mark for one in shown for mark in one.hints if mark.about.bytes >= settings.least_hint):
        position = part.body.position(*part.body.lines.position(mark.end), client.encoding)
        if where.start.line <= position.line <= where.end.line:
            tooltip = content(f"Memory of this line in a training step: {mark.about.more}", client)
            result.append(lsp.InlayHint(position, mark.about.text, padding_left=True, tooltip=tooltip))
    return result


def code_lenses(shown: Sequence[Shown], part: Part, client: Client) -> list[lsp.CodeLens]:
    """The peak over each training function; the command measures it."""
    result = []
    for mark in (mark for one in shown for mark in one.lenses):
        line, column = part.body.lines.position(mark.start)
        position = part.body.position(line, column, client.encoding)
        # the loop moves with the function that it is in
        loop = line + mark.about.loop - mark.about.line
        argument = {"uri": part.uri, "line": loop - 1}
        command = lsp.Command(f"{mark.about.title} · measure", MEASURE, arguments=[argument])
        result.append(lsp.CodeLens(lsp.Range(position, position), command))
    return result
