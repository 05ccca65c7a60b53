"""Checking many files, in this process or in several; the reports do not depend on how many."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from trainlint.project.config import Overrides
from trainlint.project.report import FileReport, report_from_plain
from trainlint.project.session import Session

_FILES_PER_JOB = 8


class Plan(NamedTuple):
    """What a process needs to make the same session."""

    roots: tuple[str, ...]
    overrides: Overrides
    use_cache: bool
    diff_base: str | None

    def session(self) -> Session:
        return Session(self.roots, self.overrides, self.use_cache, self.diff_base)


def check_files(session: Session, plan: Plan, paths: Sequence[str], jobs: int | None = None) -> list[FileReport]:
    """The reports of the files in their order. `jobs` None: as many processes as are worth it. Raises ConfigError."""
    reports: dict[str, FileReport] = {}
    left: list[str] = []
    for path in paths:
        report = session.recall(path)
        if report is None:
            left.append(path)
        else:
            reports[path] = report
    if jobs is None:
        jobs = min(os.cpu_count() or 1, (len(left) + _FILES_PER_JOB - 1) // _FILES_PER_JOB)
    if min(jobs, len(left)) > 1:
        reports.update(_in_processes(plan, left, min(jobs, len(left))))
    else:
        reports.update((path, session.analyse(path)) for path in left)
    return [reports[path] for path in paths]


_session: Session | None = None


def _start(plan: Plan) -> None:
    global _session
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends the others
    _session = plan.session()


def _work(path: str) -> list[object]:
    assert _session is not None
    return _session.analyse(path).plain()


def _in_processes(plan: Plan, paths: list[str], jobs: int) -> dict[str, FileReport]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # this process has one thread, so a fork is safe, and it spares every worker the imports
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    done: dict[str, FileReport] = {}
    with ProcessPoolExecutor(jobs, context, _start, (plan,)) as pool:
        futures = [(path, pool.submit(_work, path)) for path in paths]
        try:
            for path, future in futures:
                try:
                    done[path] = report_from_plain(future.result())
                except BrokenProcessPool:
                    break
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    left = [path for path in paths if path not in done]
    if left:  # a process died: one fresh process for each file that is left finds out at which one
        done.update((path, _alone(plan, path)) for path in left)
    return done


def _alone(plan: Plan, path: str) -> FileReport:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _start, (plan,)) as pool:
        try:
            return report_from_plain(pool.submit(_work, path).result())
        except BrokenProcessPool:
            return FileReport(path, error="the process that checked it died", skipped=True, internal=True)
