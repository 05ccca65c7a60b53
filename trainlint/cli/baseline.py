"""Baselines: findings that are known already, by fingerprint."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trainlint.project.errors import UsageError


def write_baseline(path: str, prints: Sequence[str]) -> None:
    """Write the fingerprints. Raises UsageError."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "fingerprints": sorted(prints)}, file, indent=1)
            file.write("\n")
    except OSError as error:
        raise UsageError(f"--write-baseline {path}: {error.strerror}") from error


def read_baseline(path: str) -> frozenset[str]:
    """The fingerprints of a baseline file. Raises UsageError."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        return frozenset(content["fingerprints"])
    except OSError as error:
        raise UsageError(f"--baseline {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"--baseline {path}: is no baseline file; write one with --write-baseline") from error
