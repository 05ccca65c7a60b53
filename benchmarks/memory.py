"""The time of `trainlint memory` beside `trainlint check --no-cache` on the same scripts, in turn.

    python benchmarks/memory.py

A ratio of two whole processes measured side by side; the best of three each.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = sorted((Path(__file__).parents[1] / "tests" / "memory" / "scripts").glob("*.py"))
ROUNDS = 3
CHECK = ["check", "--no-cache", "--exit-zero"]
MEMORY = ["memory", "--output-format", "json"]


def seconds(command: list[str], script: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "trainlint", *command, str(script)], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    ratios = []
    for script in SCRIPTS:
        pairs = [(seconds(CHECK, script), seconds(MEMORY, script)) for _ in range(ROUNDS)]
        check, memory = (min(pair[n] for pair in pairs) for n in (0, 1))
        ratios.append(memory / check)
        print(f"{memory / check:5.2f}  check {check:.2f} s  memory {memory:.2f} s  {script.name}")
    print(f"{statistics.median(ratios):5.2f}  median, {max(ratios):.2f} largest")


if __name__ == "__main__":
    main()
