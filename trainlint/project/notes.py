"""The notes of the memory model in the words and places of a notebook: cells and the lines in them."""

from __future__ import annotations

import os

from trainlint.memory.notes import END, Notes
from trainlint.memory.wording import Named
from trainlint.project.notebooks import Joined


def namer(path: str, joined: Joined | None) -> Named:
    """`line 12`, `cell 3, line 2` in a notebook, `model.py, line 12` for another file than `path`."""

    def named(where: str, line: int) -> str:
        if where != path:
            return f"{os.path.basename(where)}, line {line}"
        if joined is None:
            return f"line {line}"
        cell, inside = joined.locate(line)
        return f"cell {cell}, line {inside}"

    return named


def in_cells(notes: Notes, path: str, joined: Joined | None) -> Notes:
    """The notes with the lines of the cells, those of other files as they are."""
    if joined is None:
        return notes
    spots = []
    for spot in notes.spots:
        if spot.path == path:
            line_end = spot.span.end_column == END
            cell, span = joined.locate_span(spot.span)
            spot = spot._replace(span=span._replace(end_column=END) if line_end else span, cell=cell)
        if spot.loop is not None and spot.loop[0] == path:
            spot = spot._replace(loop=(path, *joined.locate(spot.loop[2])))
        spots.append(spot)
    hints, lenses = [], []
    for hint in notes.hints:
        if hint.path == path:
            cell, line = joined.locate(hint.line)
            hint = hint._replace(line=line, cell=cell)
        hints.append(hint)
    for lens in notes.lenses:
        if lens.path == path:
            cell, line = joined.locate(lens.line)
            lens = lens._replace(line=line, loop=joined.locate(lens.loop)[1], cell=cell)
        lenses.append(lens)
    return Notes(spots, hints, lenses, notes.loops, notes.gaps)
