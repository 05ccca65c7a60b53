"""Ranges that move through edits, and work that gives way."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from trainlint.project.session import Session
from trainlint.server import git_base
from trainlint.server import worker as worker_module
from trainlint.server.documents import Splice, difference
from trainlint.server.marks import Mark, moved
from trainlint.server.worker import GiveWay, Worker

TEXT = "a = 64\nb = 7\n"


@pytest.mark.parametrize(
    ("splice", "number", "line"),
    [
        (Splice(0, 0, "x\n"), (6, 8), (2, 8)),
        (Splice(7, 7, "y"), (4, 6), (0, 6)),
        (Splice(12, 12, "0"), (4, 6), (0, 6)),
        (Splice(6, 6, "0"), None, None),
        (Splice(6, 6, "\n"), (4, 6), (0, 6)),
        (Splice(6, 6, "  # why"), (4, 6), None),
        (Splice(4, 4, "1"), None, None),
        (Splice(4, 5, "7"), None, None),
        (Splice(0, 13, ""), None, None),
        (Splice(0, 1, "batch"), (8, 10), None),
    ],
)
def test_a_range_moves_or_goes(splice: Splice, number: tuple[int, int] | None, line: tuple[int, int] | None) -> None:
    found = [(m.start, m.end) for m in moved([Mark(4, 6, "number")], splice)]
    assert found == ([number] if number else [])
    whole = [(m.start, m.end) for m in moved([Mark(0, 6, "line", whole=True)], splice)]
    shifted = (line[0], line[0] + 6) if line else None
    assert whole == ([shifted] if shifted else [])


@pytest.mark.parametrize(
    ("old", "new"), [("", "a"), ("a", ""), ("abc", "axc"), ("aa", "aaa"), ("same", "same"), ("ab", "ba")]
)
def test_a_difference_makes_the_new_text(old: str, new: str) -> None:
    splice = difference(old, new)
    assert old[: splice.start] + splice.text + old[splice.end :] == new
    assert splice.end - splice.start <= len(old)


def test_background_work_gives_way_and_begins_again() -> None:
    worker = Worker(lambda: Session([]))
    order: list[str] = []
    started, urgent_asked = threading.Event(), threading.Event()

    def slow(_: Session, heed: object) -> str:
        order.append("begun")
        started.set()
        if len(order) == 1:
            assert urgent_asked.wait(5)
            while True:
                heed()  # type: ignore[operator]
        return "result"

    async def play() -> None:
        background = asyncio.ensure_future(worker.idle(slow))
        await asyncio.to_thread(started.wait, 5)
        urgent = asyncio.ensure_future(worker.run(lambda _: order.append("urgent")))
        await asyncio.sleep(0.01)
        urgent_asked.set()
        await urgent
        assert await asyncio.wait_for(background, 5) == "result"

    asyncio.run(play())
    assert order == ["begun", "urgent", "begun"]


def test_background_work_ends_when_nobody_waits_for_it() -> None:
    worker = Worker(lambda: Session([]))
    started, ended = threading.Event(), threading.Event()

    def endless(_: Session, heed: object) -> None:
        started.set()
        try:
            while True:
                heed()  # type: ignore[operator]
        finally:
            ended.set()

    async def play() -> None:
        background = asyncio.ensure_future(worker.idle(endless))
        await asyncio.to_thread(started.wait, 5)
        background.cancel()
        assert await worker.run(lambda _: "next") == "next"

    asyncio.run(play())
    assert ended.is_set()


def test_a_glance_is_served_in_the_middle_of_a_long_job() -> None:
    worker = Worker(lambda: Session([]))
    started, seen = threading.Event(), threading.Event()

    def analysis(_: Session) -> str:
        started.set()
        while not seen.is_set():
            worker.heed()
        return "not ended by it"

    async def play() -> None:
        running = asyncio.ensure_future(worker.run(analysis))
        await asyncio.to_thread(started.wait, 5)
        await asyncio.wait_for(worker.glance(lambda _: seen.set()), 5)
        assert await asyncio.wait_for(running, 5) == "not ended by it"

    asyncio.run(play())


def test_an_analysis_of_an_old_text_ends_when_somebody_waits_behind_the_change() -> None:
    worker = Worker(lambda: Session([]))
    started, order = threading.Event(), []

    def analysis(_: Session) -> None:
        started.set()
        try:
            while True:
                worker.heed()
        except GiveWay:
            order.append("gave way")

    async def play() -> None:
        running = asyncio.ensure_future(worker.run(analysis))
        await asyncio.to_thread(started.wait, 5)
        worker.post(lambda _: order.append("changed"))
        await asyncio.wait_for(worker.glance(lambda _: order.append("glanced")), 5)
        await running

    asyncio.run(play())
    assert order == ["gave way", "changed", "glanced"]


def test_an_analysis_goes_on_although_others_wait_that_came_with_the_same_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else three files that take long would make each other begin again for ever."""
    monkeypatch.setattr(worker_module, "OUTDATED", -1.0)
    worker = Worker(lambda: Session([]))

    async def play() -> list[str]:
        worker.post(lambda _: None)
        analyses = [worker.run(lambda _: (worker.heed(), "whole")[1]) for _ in range(3)]
        return await asyncio.wait_for(asyncio.gather(*analyses), 5)

    assert asyncio.run(play()) == ["whole"] * 3


def test_what_was_known_is_told_while_the_text_has_changed(tmp_path: Path) -> None:
    path = str(tmp_path / "train.py")
    text = "import torch\n\nx = torch.zeros(2, 3)\ny = x.T\n"
    session = Session([tmp_path])
    session.open(path, text)
    assert session.glance(path, 4, 1) == (False, None)
    known = session.hover(path, 4, 1)
    assert known is not None
    session.edit(path, 0, 0, "# a note\n\n")
    session.edit(path, len(session.workspace.opened(path).text), 10_000, "z = 1\n")  # type: ignore[union-attr]
    current, seen = session.glance(path, 6, 1)
    assert not current
    assert seen is not None
    assert (seen.markdown, seen.span.line) == (known.markdown.replace("line 3", "line 5"), 6)
    assert session.glance(path, 7, 1) == (False, None), "a new statement says nothing yet"
    session.hover(path, 7, 1)
    assert session.glance(path, 6, 1) == (True, seen)


def test_findings_without_a_base_are_made_again_when_git_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_base, "GRACE", 0.0)

    async def play(waits: bool) -> list[str]:
        late: list[str] = []
        base = git_base.GitBase(Worker(lambda: Session([])), lambda: late.append("late"))
        base.ask([])
        if waits:
            await base.grace()
        await asyncio.sleep(0.2)
        await base.grace()
        return late

    assert asyncio.run(play(waits=True)) == ["late"]
    assert asyncio.run(play(waits=False)) == []
