"""How many `nn.Module` classes of some files have a complete module graph, and what is missing in the others.

    python tools/graph_coverage.py PATH… [--quiet]

A class is complete where the children of its object, and of every module below it, are all known: of the object that
the program builds, or of the one that is built with its defaults. A named model of a library whose parameters are in
the tables counts as known. Classes that are complete but for modules that whoever builds them passes in
(`Wrapper(encoder)`) are counted beside.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import trainlint.ops
from trainlint.analysis.modules import is_module_class, unknown_parts, walk
from trainlint.analysis.parameters import own_of
from trainlint.analysis.program import Program
from trainlint.analysis.values import Class, Obj, Value
from trainlint.project.session import Session

assert trainlint.ops

NAMED = ("torchvision.models.", "timm.", "transformers.")


def python_files(paths: list[Path]) -> list[Path]:
    """The Python files below some paths."""
    return [f for path in paths for f in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def gaps_of(value: Value) -> dict[str, str]:
    """Module → why its children are not all known, but for named models that the tables know."""
    known = {
        name
        for name, module in walk(value)
        if isinstance(module, Obj) and module.name.startswith(NAMED) and not isinstance(own_of(module), str)
    }
    return {name: why for name, why in unknown_parts(value).items() if name not in known}


def missing(program: Program, cls: Class) -> dict[str, str]:
    """Module → why its children are not all known, for the best object of the class."""
    program.ensure_instance(cls)
    objects: list[Value] = [o for o in (cls.default_instance, *program.built.get(cls, [])) if o is not None]
    return min((gaps_of(o) for o in objects), key=len)


def main() -> None:
    """Print one line per file and a total."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--quiet", action="store_true", help="print the totals only")
    options = parser.parse_args()
    complete = total = given = 0
    reasons: Counter[str] = Counter()
    caps: Counter[str] = Counter()
    parsing = interpreting = slowest = 0.0
    for root in options.paths:
        session = Session([str(root)])
        for file in python_files([root]):
            start = time.perf_counter()
            document = session.workspace.document(str(file.resolve()))
            if document is None or "nn" not in document.text:
                continue
            document.module  # noqa: B018 parses
            parsed = time.perf_counter()
            program = Program(str(file.resolve()), document, session.workspace)
            program.interpret()
            done = time.perf_counter()
            parsing, interpreting = parsing + parsed - start, interpreting + done - parsed
            slowest = max(slowest, done - parsed)
            caps.update(program.caps)
            for cls in program.classes:
                if cls.file is not program.file or not is_module_class(cls):
                    continue
                total += 1
                gaps = missing(program, cls)
                if not gaps:
                    complete += 1
                    continue
                if all(why.endswith("is given by the caller") for why in gaps.values()):
                    given += 1
                name, why = next(iter(gaps.items()))
                reasons[why] += 1
                if not options.quiet:
                    print(f"{file}:{cls.node.first_line}: {cls.name}{'.' + name if name else ''}: {why}")
    share = 100 * complete / total if total else 0.0
    print(f"{complete} of {total} classes complete ({share:.1f} %), ", end="")
    print(f"{given} more but for modules that are passed in; parsing {parsing:.1f} s, ", end="")
    print(f"interpreting {interpreting:.1f} s, slowest file {slowest:.2f} s; caps {dict(caps)}")
    for why, count in reasons.most_common(25):
        print(f"{count:5} {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
