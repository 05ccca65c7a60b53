"""The command line's grammar. Errors of use are one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

import trainlint

FORMATS = ("full", "concise", "json", "jsonl", "github", "gitlab", "sarif", "junit", "rdjson")
LEVELS = ("error", "warning", "info", "hint")


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and no abbreviated options."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        print(f"trainlint: {' '.join(message.split())} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(2)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options of a command. What follows `--` after `measure` is the program's own and not looked at."""
    own: list[str] = []
    if argv[:1] == ["measure"] and "--" in argv:
        end = argv.index("--")
        argv, own = argv[:end], argv[end + 1 :]
    options = make_parser().parse_args(argv)
    options.arguments = own
    return options


def make_parser() -> Parser:
    """The parser of all sub-commands."""
    parser = Parser(prog="trainlint", description="Find mistakes in PyTorch training code without running it.")
    parser.add_argument("--version", action="version", version=f"trainlint {trainlint.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _check(commands.add_parser("check", help="check files, folders and notebooks"))
    _rule(commands.add_parser("rule", help="explain a rule, or list the rules"))
    _model(commands.add_parser("model", help="show the facts known at a line"))
    _memory_command(commands.add_parser("memory", help="estimate the GPU memory of a training step"))
    _measure(commands.add_parser("measure", help="run one training step and measure the memory it takes"))
    server = commands.add_parser("server", help="run the language server on stdin and stdout")
    server.add_argument("--stdio", action="store_true", help="the default, and the only way; accepted for editors")
    server.add_argument("-v", "--verbose", action="store_true", help="log more to stderr")
    config = commands.add_parser("config", help="show the configuration in force here")
    config.add_argument("--schema", action="store_true", help="print the JSON schema of the configuration instead")
    config.add_argument("--config", metavar="PATH", help="use this configuration file")
    _gpus(commands.add_parser("gpus", help="list the GPUs that are known, and where they can be rented"))
    commands.add_parser("clean", help="remove the cache of findings")
    return parser


def _memory_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a script or notebook with a training loop")
    parser.add_argument("--batch-size", metavar="N", type=_positive, help="estimate for this batch size")
    parser.add_argument(
        "--entry", metavar="NAME", help="the function, or the line of the loop, where there are several"
    )
    _target(parser)
    parser.add_argument("--world-size", metavar="N", type=_positive, help="number of training processes that share")
    parser.add_argument("--config", metavar="PATH", help="use this configuration file")
    _report(parser)


def _report(parser: argparse.ArgumentParser) -> None:
    formats = ("text", "json", "html")
    parser.add_argument("--output-format", choices=formats, default="text", metavar="FORMAT", help="text, json or html")
    parser.add_argument("--output-file", metavar="PATH", help="write there instead of to stdout")


def _target(parser: argparse._ActionsContainer) -> None:
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--gpu", metavar="NAME", help="the GPU that training runs on")
    target.add_argument("--gpu-memory", metavar="SIZE", type=_memory, help="its memory, such as 24GiB")


DEVICES = ("auto", "cuda", "mps", "xpu", "cpu", "fake")


def _measure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "trainlint measure [options] (FILE | -m MODULE) [-- ARGUMENT ...]"
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a script or notebook that trains; or a JSON report, to show it"
    )
    parser.add_argument(
        "-m", dest="module", metavar="MODULE", help="run a module as `python -m` does, instead of a file"
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", metavar="DEVICE", help=f"{', '.join(DEVICES)} (default: auto)"
    )
    parser.add_argument(
        "--rules",
        choices=("cuda", "cpu"),
        metavar="RULES",
        help="cuda or cpu: whose memory rules hold where no real card is used",
    )
    parser.add_argument(
        "--steps", type=_positive, default=2, metavar="N", help="stop after N optimizer steps (default: 2)"
    )
    parser.add_argument(
        "--nproc", type=_positive, metavar="N", help="run N ranks of the program, as `torchrun --nproc-per-node N` does"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=300.0, metavar="S", help="seconds for the run (default: 300)"
    )
    parser.add_argument("--memory-limit", type=_memory, metavar="SIZE", help="the program gets no more, such as 8GiB")
    parser.add_argument(
        "--from-snapshot", metavar="PICKLE", help="read a memory snapshot of CUDA made elsewhere, and run nothing"
    )
    parser.add_argument(
        "--compare",
        metavar="REPORT",
        help="lay the JSON report of `memory` or of another run beside",
    )
    parser.add_argument("--python", metavar="PATH", help="the interpreter of the program (default: this one)")
    parser.add_argument("--config", metavar="PATH", help="use this configuration file")
    _selection(parser)
    _report(parser)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds < 1e7:
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _memory(text: str) -> int:
    from trainlint.project.schema import Wrong, memory_size

    try:
        return memory_size(int(text) if text.isdigit() else text)
    except Wrong as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wrong}") from None


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")


def _selection(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    rules = parser.add_argument_group("rules (codes, ids, families or ALL, separated by commas)")
    for name, text in (
        ("--select", "use these rules instead of the configured ones"),
        ("--ignore", "leave these rules out"),
        ("--extend-select", "use these rules besides the others"),
    ):
        rules.add_argument(name, action="extend", type=_words, metavar="RULES", help=text)
    return rules


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders, or - for stdin (default: .)")
    rules = _selection(parser)
    rules.add_argument("--preview", action="store_true", help="use rules that are still in preview")
    fixing = parser.add_argument_group("fixing")
    fixing.add_argument("--fix", action="store_true", help="apply the safe fixes")
    fixing.add_argument("--unsafe-fixes", action="store_true", help="apply fixes that may change what is meant, too")
    fixing.add_argument("--diff", action="store_true", help="show what --fix would change, and change nothing")
    facts = parser.add_argument_group("what to compare with and train on")
    facts.add_argument("--diff-base", metavar="REV", help="compare with this git revision")
    _target(facts)
    facts.add_argument("--world-size", metavar="N", type=_positive, help="number of training processes")
    output = parser.add_argument_group("output")
    output.add_argument("--output-format", choices=FORMATS, default="full", metavar="FORMAT", help=", ".join(FORMATS))
    output.add_argument("--output-file", metavar="PATH", help="write there instead of to stdout")
    output.add_argument("--min-level", choices=LEVELS, default="warning", metavar="LEVEL", help=", ".join(LEVELS))
    output.add_argument("--statistics", action="store_true", help="count the findings of each rule instead")
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 even with findings")
    known = parser.add_mutually_exclusive_group()
    known.add_argument("--baseline", metavar="FILE", help="leave out the findings that this file holds")
    known.add_argument("--write-baseline", metavar="FILE", help="write the findings to a baseline file")
    running = parser.add_argument_group("running")
    running.add_argument("--config", metavar="PATH", help="use this configuration file for everything")
    running.add_argument("--stdin-filename", metavar="PATH", help="the name of what comes on stdin")
    running.add_argument("--force-exclude", action="store_true", help="exclusions hold for named files, too")
    running.add_argument("--jobs", metavar="N", type=_positive, help="number of processes")
    running.add_argument("--no-cache", action="store_true", help="neither read nor write the cache")
    running.add_argument("--watch", action="store_true", help="check again whenever a file changes")


def _rule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", nargs="?", metavar="CODE|ID", help="the rule to explain")
    parser.add_argument("--all", action="store_true", help="explain every rule")
    parser.add_argument("--output-format", choices=("text", "markdown", "json"), default="text", metavar="FORMAT")


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="FILE:LINE", help="a line of a file")


def _gpus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="?", metavar="TEXT", help="part of a name, an architecture or an instance")
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", metavar="FORMAT", help="text, json"
    )
