"""`trainlint measure FILE`: run one training step for real and print what it held, by term and by line."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from trainlint.cli.memory import write
from trainlint.cli.style import Style, one_line, wants_colour
from trainlint.project.errors import UsageError
from trainlint.project.files import root_of

if TYPE_CHECKING:
    import argparse

    from trainlint.memory.recording import Measured
    from trainlint.memory.report import Locate
    from trainlint.project.measuring import Job
    from trainlint.project.session import Session

FAILED = 1


def show_measure(options: argparse.Namespace) -> int:
    """Run and print. 0 when the step was measured, 1 when the program did not come that far, 2 for wrong use."""
    session = session_of(options)
    if (options.file or "").endswith(".json"):
        return show_file(read_report(options.file), session, options)
    if options.from_snapshot is not None:
        return show(as_object(snapshot_of(options), locate), options)
    sys.stdout.flush()
    # stdout is the report's where a machine reads it: what the program prints goes to stderr then
    theirs = None if options.output_format == "text" else sys.stderr.fileno()
    told, why = measured(job_of(options), options, theirs)
    if told is None:
        print(f"trainlint: {one_line(why)}", file=sys.stderr)
        return FAILED
    told["files"] = hashes_of(told)
    told["findings"] = applying(session, told["findings"])
    if options.file is not None:
        told["estimate"] = beside_estimate(session, options.file, told)
    return show(told, options)


def session_of(options: argparse.Namespace) -> Session:
    """The session of the program's workspace, with what the options select. Raises UsageError for unknown rules."""
    from trainlint.project.config import Overrides
    from trainlint.project.session import Session

    overrides = Overrides(
        config=options.config,
        select=None if options.select is None else tuple(options.select),
        ignore=tuple(options.ignore or ()),
        extend_select=tuple(options.extend_select or ()),
    )
    path = os.path.abspath(options.file or os.path.join(os.getcwd(), ""))
    session = Session([root_of(path)], overrides)
    session.settings.check()
    session.settings.config(os.path.dirname(path))
    return session


def applying(session: Session, found: list[dict[str, Any]], silence: bool = True) -> list[dict[str, Any]]:
    from trainlint.project.runtime_findings import applying

    return applying(session, found, silence)


def selected(told: dict[str, Any], session: Session) -> dict[str, Any]:
    """A report of a file with the findings that are selected here. What their texts say is not known any more."""
    found = told.get("findings")
    return {**told, "findings": applying(session, found, silence=False)} if found else told


def measured(job: Job, options: argparse.Namespace, stdout: int | None) -> tuple[dict[str, Any] | None, str]:
    """The report of the run or of its ranks; None and the reason where there is none."""
    from trainlint.memory.recording import played
    from trainlint.project.measuring import Run
    from trainlint.project.ranks import merged, run_ranks, why

    outcomes = run_ranks(job, options.nproc, stdout) if options.nproc else [Run(job).wait(stdout=stdout)]
    recordings = [each.recording for each in outcomes if each.recording is not None]
    if len(recordings) < len(outcomes):
        return None, why(outcomes) if options.nproc else outcomes[0].why
    name = options.file or options.module
    reports = [as_object(played({**recording, "path": name}), locate) for recording in recordings]
    return (merged(reports) if options.nproc else reports[0]), ""


def hashes_of(told: dict[str, Any]) -> dict[str, str]:
    """Which texts the report is about, so that an editor that opens it can tell whether they have changed since."""
    from trainlint.project.texts import file_hash

    paths = {each["path"] for each in (told["loop"], *told["lines"]) if each["path"] is not None}
    # the cells of a notebook are not told apart on the disk
    known = {path: file_hash(path) for path in sorted(paths) if not path.endswith(".ipynb")}
    return {path: name for path, name in known.items() if name is not None}


def beside_estimate(session: Session, file: str, told: dict[str, Any]) -> dict[str, Any] | None:
    """The static estimate of the loop that was measured and how it differs; None where there is none."""
    from trainlint.project.beside import difference, estimated

    def located(path: str, line: int) -> tuple[str, int | None, int]:
        return (relative(path), *session.located(path, line))

    return difference(estimated(session, os.path.abspath(file), told, located), told)


def as_object(measured: Measured, locate: Locate) -> dict[str, Any]:
    from trainlint.memory import measured_report

    return measured_report.as_object(measured, locate)


def snapshot_of(options: argparse.Namespace) -> Measured:
    """The snapshot file of the options, replayed. Raises UsageError for a file that is none."""
    from trainlint.memory.snapshot import measured_of
    from trainlint.project.snapshots import read_snapshot

    if options.file is not None or options.module is not None:
        raise UsageError("--from-snapshot reads a file made elsewhere: it takes no program to run")
    try:
        return measured_of(read_snapshot(options.from_snapshot), os.path.abspath(options.from_snapshot))
    except ValueError as error:
        raise UsageError(f"{options.from_snapshot}: {error}") from error


def show_file(told: dict[str, Any], session: Session, options: argparse.Namespace) -> int:
    """Print a report that was made elsewhere. Raises UsageError for a file that is none."""
    try:
        told = selected(told, session)
        if options.compare is None:
            return show(told, options)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{options.file}: it is no report of `memory` or `measure`: {error!r}") from error
    return show(told, options)


def show(told: dict[str, Any], options: argparse.Namespace) -> int:
    """Print the report in the format that was asked for."""
    if options.compare is not None:
        return show_comparison(read_report(options.compare), told, options)
    if options.output_format == "json":
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    elif options.output_format == "html":
        from trainlint.cli.memory_page import as_page

        text = as_page(told, source_line)
    else:
        from trainlint.cli.memory_text import as_text, plain

        style = Style(options.output_file is None and wants_colour(sys.stdout))
        encoding = "utf-8" if options.output_file else sys.stdout.encoding or "utf-8"
        text = plain("\n".join(as_text(told, style)) + "\n", encoding)
    # under `torchrun` every rank writes its own
    write(text, options.output_file and options.output_file.replace("{rank}", os.environ.get("RANK", "0")))
    return 0


def source_line(place: dict[str, Any]) -> str:
    """The text of a line of the report as it stands on the disk now; empty where it cannot be read."""
    from trainlint.project.session import Session

    if place["path"] is None:
        return ""
    path = os.path.abspath(place["path"])
    try:
        return Session([root_of(path)]).source_line(path, place["cell"], place["line"]).strip()
    except OSError:
        return ""


def read_report(path: str) -> dict[str, Any]:
    """A JSON report. Raises UsageError for a file that is none."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not a JSON report ({one_line(str(error))})") from error
    if not isinstance(report, dict):
        raise UsageError(f"{path}: not a JSON report (no object)")
    return report


def show_comparison(old: dict[str, Any], new: dict[str, Any], options: argparse.Namespace) -> int:
    """Print two reports side by side. Raises UsageError for files that are no reports."""
    from trainlint.cli.comparison_text import as_text
    from trainlint.memory.comparison import as_object, compared, title

    if options.output_format == "html":
        raise UsageError("--compare prints text or json; the page of a run shows it beside the estimate")
    try:
        rows = as_object(compared(old, new))
    except ValueError as error:
        raise UsageError(f"{options.compare}: {error}") from error
    if options.output_format == "json":
        text = json.dumps({**new, "compared": rows}, ensure_ascii=False, indent=1) + "\n"
    else:
        style = Style(options.output_file is None and wants_colour(sys.stdout))
        text = "\n".join(as_text(rows, (title(old), title(new)), style)) + "\n"
    write(text, options.output_file)
    return 0


def job_of(options: argparse.Namespace) -> Job:
    """What the options ask for. Raises UsageError for a file that cannot be run."""
    from trainlint.project.measuring import Job

    if options.module is not None:
        target: dict[str, Any] = {"kind": "module", "name": options.module}
        if options.file is not None:
            raise UsageError("give a FILE or -m MODULE, not both; the program's arguments follow --")
        root = root_of(os.getcwd())
    elif options.file is None:
        raise UsageError("measure needs a FILE, or -m MODULE")
    else:
        path = os.path.abspath(options.file)
        if not os.path.isfile(path):
            raise UsageError(f"{options.file}: no such file")
        target = {"kind": "script", "path": path}
        if path.endswith(".ipynb"):
            target = {"kind": "notebook", "path": path, "cells": cells_of(path)}
        root = root_of(path)
    return Job(
        target=target,
        roots=[root],
        arguments=options.arguments,
        device=options.device,
        rules=options.rules,
        steps=options.steps,
        timeout=options.timeout,
        memory_limit=options.memory_limit,
        python=options.python or sys.executable,
    )


def cells_of(path: str) -> list[tuple[int, str]]:
    """The code cells of a notebook with their numbers, magics made harmless. Raises UsageError for what is none."""
    from trainlint.project.magics import neutralise
    from trainlint.project.notebooks import read_notebook
    from trainlint.project.source import UnreadableSource, decode

    try:
        with open(path, "rb") as file:
            notebook = read_notebook(decode(file.read()).text)
    except UnreadableSource as error:
        raise UsageError(f"{os.path.relpath(path)}: {error}") from error
    return [(index, neutralise(cell.source)) for index, cell in enumerate(notebook.cells) if cell.kind == "code"]


def locate(path: str, line: int) -> tuple[str, int | None, int]:
    """The path as a person knows it, and the cell that travels in it."""
    file, separator, cell = path.rpartition("::")
    if separator and cell.isdigit():
        return relative(file), int(cell), line
    return relative(path), None, line


def relative(path: str) -> str:
    """Below the current folder as seen from there, else absolute."""
    shown = os.path.relpath(path) if os.path.isabs(path) and os.path.splitdrive(path)[0] in ("", _drive()) else path
    return path if shown.startswith("..") else shown


def _drive() -> str:
    return os.path.splitdrive(os.getcwd())[0]
