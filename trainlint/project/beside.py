"""The static estimate of the loop that was measured, to stand beside the measured figures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from trainlint.memory.report import Locate

if TYPE_CHECKING:
    from trainlint.memory.estimate import Estimate
    from trainlint.project.session import Session

logger = logging.getLogger(__name__)


def estimated(session: Session, path: str, report: dict[str, Any], locate: Locate) -> dict[str, Any] | None:
    """The report of the estimate at the batch size that was measured; None where the loop is not found.

    `locate` is the one that made the places of the measured `report`. A failure of the estimate never costs the
    measured figures: it is logged.
    """
    from trainlint.memory.report import as_object

    try:
        found = same_loop(session.memory(path, report["batch_size"]), report, locate)
        return None if found is None else as_object(found, locate)
    except Exception:
        logger.exception("the estimate of %s failed", path)
        return None


def difference(estimate: dict[str, Any] | None, report: dict[str, Any]) -> dict[str, Any] | None:
    """Each figure of both with its change and the likely reason, as `measure` prints it under `estimate`."""
    from trainlint.memory.comparison import as_object, compared

    return None if estimate is None else as_object(compared(estimate, report))


def kept(estimate: Estimate, locate: Locate) -> dict[tuple[str, int | None, int], int]:
    """Bytes that a line makes and backward finds alive, by place: what a measurement calls `saved`."""
    return {locate(*where): size for where, size in estimate.held.items() if where is not None}


def same_loop(found: list[Estimate], report: dict[str, Any], locate: Locate) -> Estimate | None:
    """The only loop, or the one that runs backward on the measured line."""
    here = report["loop"]
    same = [one for one in found if locate(one.path, one.line) == (here["path"], here["cell"], here["line"])]
    inside = [one for one in found if _lines_in(one, here, locate)]
    for candidates in (same, inside, found):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _lines_in(one: Estimate, here: dict[str, Any], locate: Locate) -> bool:
    """Is the measured line one that the estimate of a loop knows something of?"""
    known = [where for where in one.lines if where is not None]
    return any(locate(*where) == (here["path"], here["cell"], here["line"]) for where in known)
