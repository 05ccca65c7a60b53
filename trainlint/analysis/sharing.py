"""What the entries of a program share: objects of modules and classes, and whether an entry has changed them.

An entry that left them as they were may be interpreted again alone. Names that are asked for the first time (an Unknown
is made for an attribute that nothing is known of) are no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trainlint.analysis.attributes import Method, WorkspaceModule
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Class, Func, Instance, Mapping, Obj, OneOf, Seq, Unknown, Value

if TYPE_CHECKING:
    from trainlint.analysis.program import Program


class Shared:
    """The objects that live longer than one entry, with the state in which they were last seen."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._seen: dict[int, tuple[object, tuple[Any, ...]]] = {}
        self._files = 0
        self._externals: dict[str, Value] = {}
        self.changed()

    def add(self, value: object) -> None:
        """A new object that later entries will meet too."""
        waiting: list[object] = [value]
        while waiting:
            holder = waiting.pop()
            if id(holder) in self._seen:
                continue
            state = _state(holder)
            if state is not None:
                self._seen[id(holder)] = (holder, state)
                waiting += _parts(state)

    def changed(self) -> bool:
        """Is any of the objects not as it was last time? From now on it is compared with what it is now."""
        result = self._replaced()
        for key, (holder, before) in list(self._seen.items()):
            now = _state(holder)
            if now is None or now == before:
                continue
            self._seen[key] = (holder, now)
            result = result or not _only_asked(before, now)
            for part in _parts(now):
                self.add(part)
        files = list(self._program.files.values())
        for file in files[self._files :]:
            self.add(file.scope)
        self._files = len(files)
        return result

    def _replaced(self) -> bool:
        """Did an external name get another value (`absl.flags.FLAGS`)?"""
        before, now = self._externals, self._program.externals
        self._externals = dict(now)
        return any(now[name] is not value for name, value in before.items())


def _state(holder: object) -> tuple[Any, ...] | None:
    """What can change in an object: copies, compared by identity of what they hold. None where nothing can."""
    if isinstance(holder, Unknown):
        return (dict(holder.attrs or {}), holder.promised)
    if isinstance(holder, Seq):
        return (None if holder.items is None else list(holder.items), holder.elem, holder.length)
    if isinstance(holder, Mapping):
        return (dict(holder.items), holder.open, holder.rest)
    if isinstance(holder, Instance):
        return (dict(holder.attrs),)
    if isinstance(holder, Obj):
        return (dict(holder.attrs), list(holder.args), dict(holder.kwargs))
    if isinstance(holder, Class):
        return (dict(holder.members), holder.bases)
    if isinstance(holder, Scope):
        return (dict(holder.names), holder.parent)
    if isinstance(holder, WorkspaceModule):
        return (dict(holder.names),)
    if isinstance(holder, OneOf):
        return (holder.values,)
    if isinstance(holder, Func):
        return (holder.bound, holder.scope)
    if isinstance(holder, Method):
        return (holder.receiver,)
    return None


def _parts(state: Iterable[object]) -> Iterator[object]:
    for part in state:
        if isinstance(part, dict):
            yield from part.values()
        elif isinstance(part, (list, tuple)):
            yield from part
        elif isinstance(part, (Value, Scope)):
            yield part


def _only_asked(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    """Is all that is new an Unknown for a name that was not there?"""
    for old, new in zip(before, now, strict=True):
        if old is new or old == new:
            continue
        if not isinstance(old, dict) or not isinstance(new, dict) or any(new.get(key) is not old[key] for key in old):
            return False
        if not all(_blank(new[key]) for key in new.keys() - old.keys()):
            return False
    return True


def _blank(value: object) -> bool:
    """An Unknown that nothing was learned of."""
    return isinstance(value, Unknown) and value.promised is None and all(map(_blank, (value.attrs or {}).values()))
