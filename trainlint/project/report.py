"""What checking gives: a report for each file, and what fixing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding


class FileReport(NamedTuple):
    """`error`: why the file could not be checked (`skipped`), or what went wrong inside (`internal`).

    `warning`: a part of it could not be checked, the rest was (`internal` where a rule failed). `path` is absolute.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    warning: str | None = None
    skipped: bool = False
    internal: bool = False

    def plain(self) -> list[Any]:
        from trainlint.project.codec import to_plain

        findings = [to_plain(finding) for finding in self.findings]
        return [self.path, findings, self.error, self.warning, self.skipped, self.internal]


def report_from_plain(value: list[Any]) -> FileReport:
    """The report of `FileReport.plain`. Raises ValueError, TypeError or KeyError for anything else."""
    from trainlint.project.codec import from_plain

    path, findings, error, warning, skipped, internal = value
    return FileReport(path, tuple(from_plain(each) for each in findings), error, warning, skipped, internal)


class Change(NamedTuple):
    """A changed file: its text on disk and the new one."""

    path: str
    before: str
    after: str


class Fixed(NamedTuple):
    """What fixing gave: the reports afterwards, the changed files, the number of fixes."""

    reports: list[FileReport]
    changes: tuple[Change, ...] = ()
    applied: int = 0
