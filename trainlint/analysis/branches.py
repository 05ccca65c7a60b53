"""What objects hold after a branch that may or may not have run: their changes are recorded, undone and joined.

Names live in scopes, which are copied for each branch. Lists, dicts and objects are changed in place, so a branch keeps
a journal of what it changed first: the state before it can be restored for the other branch, and both be joined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from trainlint.analysis.joins import join
from trainlint.analysis.run import MISSING, Journal, Run
from trainlint.analysis.values import Instance, Mapping, Obj, Seq, Value

T = TypeVar("T")
State: TypeAlias = "dict[tuple[int, str], tuple[Value, str, Any]]"


def fork(
    run: Run,
    first: Callable[[], bool],
    second: Callable[[], bool],
    chosen: bool | None = None,
    interrupted: bool = False,
) -> tuple[bool, bool]:
    """Run two arms of which one is taken; True for an arm whose end cannot be reached.

    `chosen` says which arm an assumption takes (True: the first): its changes are kept and the other's are dropped.
    `interrupted`: the second arm begins after some of the first one's changes, as a handler of errors does.
    """
    outer, start = run.journal, run.tick()
    one, stops_one, way_one = _arm(run, first, {})
    after_one = _state(one)
    if interrupted:
        for holder, name, state in after_one.values():
            put(holder, name, joined(holder, name, one[id(holder), name][2], state))
    else:
        _undo(one)
    two, stops_two, way_two = _arm(run, second, dict(one) if interrupted else {})
    run.journal = outer
    if chosen is None:
        ends_one, ends_two = way_one if stops_one else "", way_two if stops_two else ""
        keep_one = ends_one != "raise" or ends_two == "raise"
        keep_two = ends_two != "raise" or ends_one == "raise"
        local = run.frames[-1].start if run.frames else 0
        left = (ends_one == "return" and not stops_two, ends_two == "return" and not stops_one)
        if stops_one and stops_two:
            run.way = ends_one if ends_one != "raise" else ends_two
        elif True in left:
            # what follows runs on one of the two ways only: what it changes may also stay as it is
            run.floor, run.attribute_floor = max(run.floor, local), run.tick()
            if run.loops:
                run.loops[-1].rounds = None
    else:
        keep_one, keep_two, left, local = chosen, not chosen, (False, False), 0
        run.way = way_one if chosen else way_two
    _settle(run, one, after_one, two, keep_one, keep_two, left, local, start)
    return stops_one, stops_two


def _arm(run: Run, arm: Callable[[], bool], journal: Journal) -> tuple[Journal, bool, str]:
    run.journal = journal
    floors = run.floor, run.attribute_floor
    stops = arm()
    run.floor, run.attribute_floor = floors
    return journal, stops, run.way


def _state(journal: Journal) -> State:
    return {key: (holder, name, current(holder, name)) for key, (holder, name, _) in journal.items()}


def _undo(journal: Journal) -> None:
    for holder, name, old in journal.values():
        put(holder, name, old)


def each(run: Run, options: Sequence[Value], do: Callable[[Value], T]) -> list[T]:
    """Do something with each alternative, of which one is the real one: what it changes may also stay as it is."""
    if len(options) == 1:
        return [do(options[0])]
    results: list[T] = []

    def attempt(option: Value) -> bool:
        results.append(do(option))
        return False

    for option in options:
        fork(run, partial(attempt, option), lambda: False)
    return results


def _settle(
    run: Run,
    one: Journal,
    after_one: State,
    two: Journal,
    keep_one: bool,
    keep_two: bool,
    left: tuple[bool, bool],
    local: int,
    start: int,
) -> None:
    # lists and dicts before the attributes that hold them: joining those copies what is in them
    for key in sorted({**one, **two}, key=lambda key: key[1] != ""):
        holder, name, old = one[key] if key in one else two[key]
        mine = after_one[key][2] if key in after_one else old
        other = current(holder, name)
        if run.journal is not None:
            run.journal.setdefault(key, (holder, name, old))
        # a list of this call that a branch with a `return` has changed is not seen any more
        mine_only = isinstance(holder, (Seq, Mapping)) and holder.born >= local > 0
        if mine_only and left[0]:
            continue
        if key in after_one and isinstance(holder, (Seq, Mapping)) and holder.born >= start:
            # made in the first arm: the other one knows nothing of it
            put(holder, name, mine)
            continue
        if mine_only and left[1]:
            put(holder, name, mine)
        elif keep_one and keep_two:
            put(holder, name, joined(holder, name, mine, other))
        elif keep_one:
            put(holder, name, mine)


def current(holder: Value, name: str) -> Any:
    """What a journal entry speaks of: one attribute, or all of a list or dict (a copy)."""
    if isinstance(holder, Seq):
        return (list(holder.items) if holder.items is not None else None, holder.elem, holder.length)
    if isinstance(holder, Mapping):
        return (dict(holder.items), holder.open, holder.rest)
    if isinstance(holder, (Instance, Obj)):
        return holder.attrs.get(name, MISSING)
    return MISSING


def put(holder: Value, name: str, state: Any) -> None:
    """Give the holder a state that `current` returned."""
    if isinstance(holder, Seq):
        holder.items = list(state[0]) if state[0] is not None else None
        holder.elem, holder.length = state[1], state[2]
    elif isinstance(holder, Mapping):
        holder.items, holder.open, holder.rest = dict(state[0]), state[1], state[2]
    elif isinstance(holder, (Instance, Obj)):
        if state is MISSING:
            holder.attrs.pop(name, None)
        else:
            holder.attrs[name] = state


def joined(holder: Value, name: str, a: Any, b: Any) -> Any:
    """The state that covers both. An attribute that one branch only has set keeps its value, as names do."""
    if isinstance(holder, Seq):
        both = join(sequence_of(holder.kind, a), sequence_of(holder.kind, b))
        assert isinstance(both, Seq)
        return both.items, both.elem, both.length
    if isinstance(holder, Mapping):
        return _joined_mappings(a, b)
    if a is MISSING or b is MISSING:
        return b if a is MISSING else a
    return a if a is b else join(a, b)


def sequence_of(kind: str, state: Any) -> Seq:
    """A sequence in a state that `current` returned."""
    return Seq(kind, state[0], state[1], None, state[2])


def _joined_mappings(a: Any, b: Any) -> Any:
    items = {key: join(a[0][key], b[0][key]) if key in b[0] and key in a[0] else None for key in {**a[0], **b[0]}}
    known = {key: value for key, value in items.items() if value is not None}
    rest = a[2] if b[2] is None else b[2] if a[2] is None else join(a[2], b[2])
    for key in items.keys() - known.keys():
        only = a[0].get(key, b[0].get(key))
        rest = only if rest is None else join(rest, only)
    return known, a[1] or b[1] or len(known) != len(items), rest
