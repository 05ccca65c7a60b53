"""`trainlint model FILE:LINE`: the facts that the analysis knows at a line; the main tool of a rule's author."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from trainlint.project.errors import UsageError
from trainlint.project.files import root_of
from trainlint.project.session import Session

if TYPE_CHECKING:
    import argparse


def show_facts(options: argparse.Namespace) -> int:
    """Print one fact a line. Raises UsageError for a wrong place."""
    name, _, line = options.place.rpartition(":")
    if not name or not line.isdecimal() or int(line) < 1:
        raise UsageError(f"{options.place!r} is not FILE:LINE, such as train.py:120")
    path = os.path.abspath(name)
    if not os.path.isfile(path):
        raise UsageError(f"{name}: no such file")
    facts = Session([root_of(path)]).facts_at(path, int(line))
    print("\n".join(facts) if facts else f"nothing is known at {options.place}")
    return 0
