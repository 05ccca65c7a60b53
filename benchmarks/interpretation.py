"""Interpretation and rules against `libcst.parse_module`, file by file over real repositories.

    python benchmarks/interpretation.py FOLDER…

CPU time inside one process, each file once, both sides in the same run, so that the ratio does not depend on the
machine. All files of a folder are parsed before the first is measured; a file that imports workspace modules pays for
their interpretation too.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import libcst  # noqa: E402

from trainlint.project.workspace import FileWorkspace  # noqa: E402
from trainlint.rules.engine import Analyser  # noqa: E402
from trainlint.rules.registry import all_rules  # noqa: E402
from trainlint.syntax.document import Document  # noqa: E402


def measure(path: Path, analyser: Analyser) -> tuple[float, float, int] | None:
    """Seconds of interpretation with all rules and of a whole libcst parse, and how often a cap was reached.

    None for a file without torch, and where libcst cannot parse it.
    """
    text = path.read_text(encoding="utf-8")
    if "torch" not in text:
        return None
    start = time.process_time()
    try:
        libcst.parse_module(text)
    except libcst.ParserSyntaxError:
        return None
    parsed = time.process_time() - start
    document = analyser.workspace.document(str(path))
    assert document is not None
    start = time.process_time()
    analyser.check(str(path), document, all_rules().values())
    seconds = time.process_time() - start
    return seconds, parsed, sum(analyser.program(str(path), document).caps.values())


def main() -> None:
    # as the command line does
    gc.set_threshold(100_000, 20, 20)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    ratios: list[tuple[float, float, Path]] = []
    capped = 0
    folders = parser.parse_args().folders
    for folder in folders:
        workspace = FileWorkspace([folder])
        analyser = Analyser(workspace)
        paths = sorted(folder.rglob("*.py"))
        for path in paths:
            workspace.open(str(path), Document(path.read_text(encoding="utf-8", errors="replace")))
        for path in paths:
            try:
                times = measure(path, analyser)
            except (OSError, UnicodeDecodeError):
                continue
            if times is not None:
                ratios.append((times[0] / max(times[1], 1e-4), times[0], path))
                capped += times[2] > 0
    if not ratios:
        raise SystemExit("no Python file that mentions torch in " + ", ".join(map(str, folders)))
    values = sorted(ratio for ratio, _, _ in ratios)
    print(f"{len(values)} files: median {statistics.median(values):.2f} x the libcst parse", end="")
    print(f", {capped / len(values):.1%} of the files reach a cap", end="")
    print(f", p90 {values[int(len(values) * 0.9)]:.2f}, p95 {values[int(len(values) * 0.95)]:.2f}")
    for ratio, seconds, path in sorted(ratios, key=lambda entry: -entry[1])[:8]:
        print(f"  {seconds:.2f} s ({ratio:.2f} x) {path}")


if __name__ == "__main__":
    main()
