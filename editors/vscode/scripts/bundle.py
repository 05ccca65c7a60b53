"""Puts trainlint and what it needs below `bundled`: pure Python in `libs`, compiled libcst for this platform beside it.

    python3 scripts/bundle.py                       libcst for this platform and Python 3.10 to 3.14
    python3 scripts/bundle.py --platform win_amd64  for another one (a platform tag of pip)
    python3 scripts/bundle.py --universal           without libcst: the interpreter must have it

What pip cannot find for a version of Python is left out with a line on standard error; the launcher says so there.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import sysconfig

EXTENSION = pathlib.Path(__file__).resolve().parent.parent
CHECKOUT = EXTENSION.parent.parent
BUNDLED = EXTENSION / "bundled"
# trainlint's dependencies that are pure Python; PyYAML works without its compiled part, tomli too
PURE = (
    "pygls>=2.0",
    "pathspec>=0.12",
    "platformdirs>=4.0",
    "tomli>=2.0",
    "exceptiongroup>=1.1",
    "typing_extensions>=4.12",
)
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MANYLINUX = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default=sysconfig.get_platform().replace("-", "_").replace(".", "_"))
    parser.add_argument("--universal", action="store_true")
    options = parser.parse_args()
    for name in ("libs", "libcst"):
        shutil.rmtree(BUNDLED / name, ignore_errors=True)
    libs = BUNDLED / "libs"
    install(libs, *PURE)
    install(libs, "--no-deps", str(CHECKOUT))
    # from the source distribution: the wheels are compiled, the package runs without
    install(libs, "--no-deps", "--no-binary", "PyYAML", "PyYAML>=6.0")
    compiled = [path for pattern in ("*.so", "*.pyd") for path in libs.rglob(pattern)]
    for path in compiled:
        path.unlink()
    if not options.universal:
        for version in VERSIONS:
            add_libcst(version, options.platform)
    for cache in BUNDLED.rglob("__pycache__"):
        shutil.rmtree(cache)
    shutil.rmtree(libs / "bin", ignore_errors=True)
    return 0


def install(target: pathlib.Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    subprocess.run([*pip, "--target", str(target), *arguments], check=True)


def add_libcst(version: str, platform: str) -> None:
    """libcst and the compiled part of PyYAML are what a version of Python needs of its own."""
    target = BUNDLED / "libcst" / f"cp{version.replace('.', '')}"
    tags = (
        [f"{tag}_{platform.removeprefix('linux_')}" for tag in MANYLINUX]
        if platform.startswith("linux_")
        else [platform]
    )
    where = [word for tag in tags for word in ("--platform", tag)]
    try:
        install(target, "--no-deps", "--only-binary=:all:", "--python-version", version, *where, "libcst>=1.8")
    except subprocess.CalledProcessError:
        shutil.rmtree(target, ignore_errors=True)
        print(f"no libcst for Python {version} on {platform}", file=sys.stderr)
        return
    for unneeded in (target / "libcst" / "tests", target / "libcst" / "codemod"):
        shutil.rmtree(unneeded, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
