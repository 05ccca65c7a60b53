"""`trainlint check`: from the options to the output and the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from trainlint.cli.formats import render
from trainlint.cli.result import LEVELS, Result, Sources, fingerprints, shown_path
from trainlint.project.config import Overrides
from trainlint.project.errors import UsageError
from trainlint.project.files import Found, discover, root_of
from trainlint.project.pool import Plan, check_files
from trainlint.project.report import FileReport, Fixed
from trainlint.project.session import Session

if TYPE_CHECKING:
    import argparse

    from trainlint.rules.finding import Finding

OK, FINDINGS, USAGE, INTERNAL = 0, 1, 2, 3


def check(options: argparse.Namespace) -> int:
    """Run `trainlint check`. Raises UsageError."""
    if options.watch:
        from trainlint.cli.watch import watch

        return watch(lambda: Check(options))
    return Check(options).run()


class Check:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.start = time.perf_counter()
        self.sources = Sources()
        self.given: list[str] = options.paths or ["."]
        self.stdin = "-" in self.given
        self.found = Found()
        _refuse_nonsense(options, self.given)

    def run(self) -> int:
        """Check, fix, print; the exit code."""
        plan = self._plan()
        session = plan.session()
        try:
            session.settings.check()
            self._find(session)
            reports = self._check(session, plan)
            fixed = self._fix(session, reports)
            if self.options.diff:
                return self._print_diff(fixed)
            return self._report(session, fixed)
        finally:
            session.stop()

    def _plan(self) -> Plan:
        options = self.options
        overrides = Overrides(
            config=options.config,
            select=None if options.select is None else tuple(options.select),
            ignore=tuple(options.ignore or ()),
            extend_select=tuple(options.extend_select or ()),
            gpu=options.gpu,
            gpu_memory=options.gpu_memory,
            world_size=options.world_size,
            diff_base=options.diff_base,
            preview=options.preview,
        )
        named = [self._stdin_path()] if self.stdin else [os.path.abspath(path) for path in self.given]
        roots = tuple(dict.fromkeys(root_of(path) for path in named))
        return Plan(roots, overrides, not options.no_cache, self._base(overrides, roots))

    def _base(self, overrides: Overrides, roots: Sequence[str]) -> str | None:
        """The revision to compare with; it must be known where the command line names it."""
        from trainlint.project.settings import Settings

        settings = Settings(overrides)
        rev = next((rev for root in roots if (rev := settings.config(root).diff_base)), None)
        if rev is not None:
            from trainlint.project.git import repository_of, resolve_rev

            for root in roots:
                if self.options.diff_base is not None or repository_of(root) is not None:
                    resolve_rev(root, rev)
        return rev

    def _stdin_path(self) -> str:
        return os.path.abspath(self.options.stdin_filename or "stdin.py")

    def _find(self, session: Session) -> None:
        if self.stdin:
            self.found = Found([self._stdin_path()])
            return
        self.found = discover(self.given, session.settings.excluded, force_exclude=self.options.force_exclude)
        for path in self.found.missing:
            _complain(path, "no such file or folder")
        for path in self.found.empty:
            print(f"warning: {path}: no Python files or notebooks in this folder", file=sys.stderr)

    def _check(self, session: Session, plan: Plan) -> list[FileReport]:
        if not self.stdin:
            return check_files(session, plan, self.found.files, self.options.jobs)
        from trainlint.project.source import UnreadableSource, decode

        path = self._stdin_path()
        try:
            text = decode(sys.stdin.buffer.read()).text
        except UnreadableSource as error:
            return [FileReport(path, error=str(error), skipped=True)]
        session.put_text(path, text)
        self.sources.give(path, text)
        return [session.check(path)]

    def _fix(self, session: Session, reports: list[FileReport]) -> Fixed:
        options = self.options
        if not (options.fix or options.diff) or not any(f.fixes for report in reports for f in report.findings):
            return Fixed(reports)
        from trainlint.project.fixes import fix

        return fix(session, reports, unsafe=options.unsafe_fixes)

    def _print_diff(self, fixed: Fixed) -> int:
        from trainlint.cli.diff import unified

        for report in fixed.reports:
            self._complain_about(report)
        sys.stdout.write("".join(unified(change) for change in fixed.changes))
        print(f"{fixed.applied} fixes in {len(fixed.changes)} files would be applied.", file=sys.stderr)
        return USAGE if self.found.missing else FINDINGS if fixed.changes else OK

    def _report(self, session: Session, fixed: Fixed) -> int:
        options = self.options
        written = self._write_fixes(session, fixed)
        for report in fixed.reports:
            self._complain_about(report)
        findings = _distinct(finding for report in fixed.reports for finding in report.findings)
        findings = self._apply_baseline(findings)
        visible = LEVELS[: LEVELS.index(options.min_level) + 1]
        shown = [finding for finding in findings if finding.level in visible]
        result = Result(
            findings,
            shown,
            [(os.path.abspath(path), "no such file or folder") for path in self.found.missing]
            + _troubles(fixed.reports),
            self.found.files,
            sum(report.skipped for report in fixed.reports) + len(self.found.missing),
            time.perf_counter() - self.start,
            self.sources,
        )
        self._print(result, to_stderr=self.stdin and options.fix)
        if written:
            print(f"{fixed.applied} fixes applied in {len(fixed.changes)} files.", file=sys.stderr)
        return self._exit_code(fixed.reports, shown)

    def _write_fixes(self, session: Session, fixed: Fixed) -> bool:
        """Write the fixed files, or the fixed stdin to stdout. True where files were changed."""
        if self.stdin:
            if self.options.fix:
                path = self._stdin_path()
                text = session.workspace.overlay.text(path) or ""
                self.sources.give(path, text)
                sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
            return False
        if not fixed.changes:
            return False
        from trainlint.project.fixes import write

        for path, message in write(session, fixed.changes):
            _complain(shown_path(path), message)
        return True

    def _apply_baseline(self, findings: list[Finding]) -> list[Finding]:
        options = self.options
        if not (options.baseline or options.write_baseline):
            return findings
        from trainlint.cli.baseline import read_baseline, write_baseline

        prints = fingerprints(Result(findings, findings, sources=self.sources), findings)
        if options.write_baseline:
            write_baseline(options.write_baseline, prints)
            print(f"wrote {len(prints)} findings to {options.write_baseline}", file=sys.stderr)
            return []
        known = read_baseline(options.baseline)
        return [finding for finding, print_ in zip(findings, prints, strict=True) if print_ not in known]

    def _print(self, result: Result, *, to_stderr: bool) -> None:
        options = self.options
        stream = sys.stderr if to_stderr else sys.stdout
        if options.output_format == "full" and not options.output_file:
            from trainlint.cli.style import wants_colour

            result.colour = wants_colour(stream)
        text = _statistics(result) if options.statistics else render(options.output_format, result)
        if options.output_file:
            try:
                with open(options.output_file, "w", encoding="utf-8", errors="replace", newline="") as file:
                    file.write(text)
            except OSError as error:
                raise UsageError(f"--output-file {options.output_file}: {error.strerror}") from error
        else:
            encoding = stream.encoding or "utf-8"  # a console that cannot show a character gets a question mark
            stream.write(text.encode(encoding, "replace").decode(encoding))

    def _complain_about(self, report: FileReport) -> None:
        path = shown_path(report.path)
        if report.error:
            _complain(path, report.error)
        elif report.warning:
            print(f"warning: {path}: {report.warning}", file=sys.stderr)

    def _exit_code(self, reports: Iterable[FileReport], shown: Sequence[Finding]) -> int:
        if self.found.missing:
            return USAGE
        if shown and not self.options.exit_zero:
            return FINDINGS
        if any(report.internal for report in reports):
            return INTERNAL
        return USAGE if any(report.error for report in reports) else OK


def _complain(path: str, message: str) -> None:
    print(f"error: {path}: {message}", file=sys.stderr)


def _troubles(reports: Iterable[FileReport]) -> list[tuple[str, str]]:
    return [(report.path, message) for report in reports if (message := report.error or report.warning)]


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted, and each once: two scripts may lead to the same finding in a file that both read."""
    unique = {(f.path, f.cell, f.code, f.span, f.message): f for f in findings}
    return sorted(unique.values(), key=lambda finding: finding.sort_key)


def _statistics(result: Result) -> str:
    counts: dict[tuple[str, str], int] = {}
    for finding in result.shown:
        counts[finding.code, finding.id] = counts.get((finding.code, finding.id), 0) + 1
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return "".join(f"{count:>6}  {code:<7} {id}\n" for (code, id), count in rows)


def _refuse_nonsense(options: argparse.Namespace, given: Sequence[str]) -> None:
    if options.statistics and options.output_format not in ("full", "concise"):
        raise UsageError(f"--statistics is text, it does not go with --output-format {options.output_format}")
    if "-" in given and len(given) > 1:
        raise UsageError("- stands for stdin and cannot be mixed with other paths")
    if options.watch and (options.fix or options.diff or "-" in given):
        raise UsageError("--watch does not go with --fix, --diff or -")
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes needs --fix or --diff")
