"""Starts the bundled trainlint: `python -I launch.py server`.

The packages in `libs` are pure Python and come first. libcst is compiled: the interpreter's own is taken where it is
new enough, else the one bundled for this platform and this version of Python.
"""

import importlib.metadata
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
OLDEST = (1, 8)  # of libcst, as trainlint's own requirement says
MISSING = 78  # the editor shows what to install


def main() -> int:
    sys.path.insert(0, str(HERE / "libs"))
    installed = libcst_version()
    if installed is None or installed < OLDEST:
        compiled = HERE / "libcst" / f"cp{sys.version_info[0]}{sys.version_info[1]}"
        if not compiled.is_dir():
            print(complaint(installed), file=sys.stderr)
            return MISSING
        sys.path.insert(1, str(compiled))
    from trainlint.cli.main import main as run

    return run()


def libcst_version():
    """`(1, 8)` of the interpreter's libcst, None where it has none."""
    try:
        numbers = re.findall(r"\d+", importlib.metadata.version("libcst"))
    except importlib.metadata.PackageNotFoundError:
        return None
    return tuple(int(number) for number in numbers[:2])


def complaint(installed):
    wanted = ".".join(map(str, OLDEST))
    has = "is missing" if installed is None else f"{'.'.join(map(str, installed))} is too old"
    python = ".".join(map(str, sys.version_info[:2]))
    return (
        f"libcst {has}, and this extension brings none for Python {python} on {sys.platform}. "
        f"Install it: {sys.executable} -m pip install 'libcst>={wanted}'"
    )


if __name__ == "__main__":
    sys.exit(main())
