"""`trainlint gpus`: the GPUs that `--gpu` knows, their memory, and the instances that have them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from trainlint.cli.style import width
from trainlint.memory.gpus import GIB, Gpu, Instance, everything, find, matching, nearest
from trainlint.project.errors import UsageError

if TYPE_CHECKING:
    import argparse

HEADER = ("GPU", "memory", "usable", "architecture", "instances")
LEGEND = "usable: what PyTorch sees of it, before the CUDA context; ~ is an estimate"


def show_gpus(options: argparse.Namespace) -> int:
    """Print the table, or the rows that the filter leaves. Raises UsageError where it leaves none."""
    gpus = list(everything()) if options.filter is None else _filtered(options.filter)
    if options.output_format == "json":
        text = json.dumps({"gpus": [_entry(gpu) for gpu in gpus]}, indent=1) + "\n"
    else:
        text = _table([_row(gpu) for gpu in gpus])
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    return 0


def _filtered(text: str) -> list[Gpu]:
    found = matching(text)
    exact = find(text)
    if not found and exact is not None:
        return [exact]
    if not found:
        close = nearest(text)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(f"no GPU matches '{text}'{hint} (`trainlint gpus` lists them)")
    return found


def _row(gpu: Gpu) -> tuple[str, ...]:
    usable = f"{'' if gpu.basis == 'reported' else '~'}{gpu.usable / GIB:.1f} GiB"
    where = " · ".join(_instance(instance) for instance in gpu.instances)
    return gpu.name, f"{gpu.gigabytes} GB", usable, f"{gpu.architecture} ({gpu.target})", where


def _instance(instance: Instance) -> str:
    """`AWS g5 ×1/4/8`: the family and the numbers of GPUs that it is rented with."""
    counts = sorted({count for _, count in instance.sizes})
    times = "" if counts == [1] else " ×" + "/".join(map(str, counts))
    return f"{instance.provider} {instance.family}".rstrip() + times


def _table(rows: list[tuple[str, ...]]) -> str:
    right = {1, 2}
    widths = [max(width(row[at]) for row in (HEADER, *rows)) for at in range(len(HEADER))]
    lines = []
    for row in (HEADER, *rows):
        cells = [
            " " * (w - width(cell)) + cell if at in right else cell + " " * (w - width(cell))
            for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, "", LEGEND]) + "\n"


def _entry(gpu: Gpu) -> dict[str, Any]:
    capability = gpu.capability
    return {
        "name": gpu.name,
        "vendor": gpu.vendor,
        "memory_gb": gpu.gigabytes,
        "usable_bytes": gpu.usable,
        "usable_basis": gpu.basis,
        "architecture": gpu.architecture,
        "target": gpu.target,
        "compute_capability": f"{capability[0]}.{capability[1]}" if capability is not None else None,
        "note": gpu.note or None,
        "instances": [
            {"provider": instance.provider, "name": name, "gpus": count}
            for instance in gpu.instances
            for name, count in instance.sizes
        ],
    }
