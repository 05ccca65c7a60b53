"""Statements that an edit did not change keep their IR objects, although the text around them was parsed again.

An object that is kept takes the place of its new twin: the same header, in the new unit. Its bodies are matched too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainlint.syntax import ir
from trainlint.syntax.pieces import Chunk, Compound, fill

_BODIES = ("body", "orelse", "final")
# `elif`s nest: a chain of a thousand is not followed
_MOST_DEPTH = 60
_FIELDS: dict[type, tuple[str, ...]] = {}


def keep(old: list[ir.Stmt], pieces: Iterable[Chunk | Compound]) -> None:
    """Let new pieces hold the statements of before (`old`, in order) where they are the same."""
    pieces = list(pieces)
    new = [stmt for piece in pieces for stmt in piece.statements]
    # a unit that was met again has its objects already
    there = {id(stmt) for stmt in new} & {id(stmt) for stmt in old}
    twins = dict(_twins([s for s in old if id(s) not in there], [s for s in new if id(s) not in there]))
    for piece in pieces:
        if isinstance(piece, Compound):
            _keep_compound(piece, twins)
        elif piece.rest is None and not piece.broken:
            unit = piece.units[0][0]
            piece.statements = unit.statements = [_kept(stmt, twins.get(id(stmt))) for stmt in piece.statements]


def _keep_compound(piece: Compound, twins: dict[int, ir.Stmt]) -> None:
    """Only a compound of one clause is kept: an `else` or `except` would have to be matched too."""
    made = piece.made[0] if len(piece.made) == 1 else None
    twin = twins.get(id(made)) if made is not None else None
    if not isinstance(made, ir.Stmt) or twin is None or piece.statements != [made] or _clauses(twin) > 1:
        return
    block = piece.parts[0].block
    _move(twin, made)
    if block is not None:
        keep(getattr(twin, "body", []), block.pieces)
        fill(twin, block.statements())
    else:
        fill(twin, getattr(made, "body", []))
    piece.made = [twin]
    piece.statements = [twin]
    piece.headers[0].statements = [twin]


def _clauses(stmt: ir.Stmt) -> int:
    return 1 + sum(bool(getattr(stmt, name, None)) for name in ("orelse", "final", "handlers", "cases"))


def _twins(old: list[ir.Stmt], new: list[ir.Stmt]) -> Iterator[tuple[int, ir.Stmt]]:
    """Pairs (identity of a new statement, the old one that is the same): from the beginning and from the end."""
    first, shorter = 0, min(len(old), len(new))
    while first < shorter and _same_header(old[first], new[first]):
        yield id(new[first]), old[first]
        first += 1
    last = 0
    while last < shorter - first and _same_header(old[-1 - last], new[-1 - last]):
        yield id(new[-1 - last]), old[-1 - last]
        last += 1


def _kept(new: ir.Stmt, old: ir.Stmt | None, depth: int = 0) -> ir.Stmt:
    """The old statement in the place of the new one, with the new bodies; the new one where there is no old one."""
    if old is None or depth > _MOST_DEPTH:
        return new
    _move(old, new)
    for name in _BODIES:
        body = getattr(new, name, None)
        if isinstance(body, list):
            twins = dict(_twins(getattr(old, name), body))
            setattr(old, name, [_kept(stmt, twins.get(id(stmt)), depth + 1) for stmt in body])
    return old


def _move(old: ir.Stmt, new: ir.Stmt) -> None:
    old.unit, old.index, old.line, old.end = new.unit, new.index, new.line, new.end


def _same_header(old: ir.Stmt, new: ir.Stmt) -> bool:
    """Do two statements differ in their places and bodies only?"""
    if old.__class__ is not new.__class__ or isinstance(old, ir.Broken):
        return False
    # their handlers and cases belong to hidden statements of their own
    if isinstance(old, ir.Match) or (isinstance(old, ir.Try) and (old.handlers or new.handlers)):  # type: ignore[attr-defined]
        return False
    headers = [name for name in _fields(old.__class__) if name not in _BODIES]
    try:
        return all(_same(getattr(old, name), getattr(new, name)) for name in headers)
    except RecursionError:
        return False


def _same(a: object, b: object) -> bool:
    """Are two parts of statements equal but for their places?"""
    if a.__class__ is not b.__class__:
        return False
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    fields = _fields(a.__class__)
    if fields:
        return all(_same(getattr(a, name), getattr(b, name)) for name in fields)
    # `0.0 == -0.0`, and nan is not itself
    return repr(a) == repr(b) if isinstance(a, (float, complex)) else a == b


def _fields(cls: type) -> tuple[str, ...]:
    found = _FIELDS.get(cls)
    if found is None:
        own = [base for base in cls.__mro__ if base.__module__ == ir.__name__ and base not in (ir.Expr, ir.Stmt)]
        found = tuple(name for base in own for name in vars(base).get("__slots__", ()) if name != "meaning")
        _FIELDS[cls] = found
    return found
