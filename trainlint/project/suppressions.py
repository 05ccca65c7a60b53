"""Suppression comments: `# trainlint: ignore[LR001, image]`, and what TR001 and TR002 say about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainlint.project.config import nearest
from trainlint.rules.finding import Edit, Finding, Fix
from trainlint.rules.registry import DOCS_BASE, OWN_CODES, selectors
from trainlint.rules.runtime import RUNTIME_CODES
from trainlint.text.place import Comment, Span

if TYPE_CHECKING:
    from trainlint.syntax.document import Document

_DIRECTIVE = re.compile(
    r"#\s*trainlint\s*:\s*ignore(?P<file>-file)?(?![\w-])(?:\s*(?P<list>\[(?P<words>[^\]#]*)(?P<end>\])?))?",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True)
class Word:
    """A word of the list, the codes that it means (none for an unknown word), and whether it silenced something."""

    text: str
    codes: frozenset[str]
    used: bool = False


@dataclass(slots=True)
class Directive:
    """A suppression. `words` is None for a bare one. `span` covers it and its reason; `covered` are the lines."""

    comment: Comment
    span: Span
    whole_file: bool
    words: list[Word] | None
    covered: frozenset[int]
    used: bool = False

    def silences(self, path: str, finding: Finding) -> bool:
        """Does it, standing in the file `path`, cover the finding? Marks what was used."""
        lines = {finding.span.line, finding.span.end_line} if finding.path == path else set[int]()
        if not self.whole_file and not self.covered & lines:
            return False
        if self.words is None:
            hit = finding.family != "trainlint"  # a bare comment must not silence the report of its own uselessness
        else:
            hits = [word for word in self.words if finding.code in word.codes]
            for word in hits:
                word.used = True
            hit = bool(hits)
        self.used |= hit
        return hit


def mentions(text: str) -> bool:
    """A quick look: could the text hold a suppression comment?"""
    return _DIRECTIVE.search(text) is not None


def directives(document: Document, cell_ends: Collection[int] = ()) -> list[Directive]:
    """The suppressions of a document, in order. `cell_ends` are the last lines of notebook cells."""
    if not mentions(document.text):
        return []
    lines = _LINE_END.split(document.text)
    cover = _Cover(document, lines, frozenset(cell_ends))
    found: list[Directive] = []
    for comment in document.comments:
        for match in _DIRECTIVE.finditer(comment.text):
            following = comment.text.find("#", match.end())
            text = comment.text[match.start() : following if following >= 0 else None].rstrip()
            start = comment.column + match.start()
            span = Span(comment.line, start, comment.line, start + len(text))
            covered = cover.lines_of(comment)
            found.append(Directive(comment, span, match["file"] is not None, _words(match), covered))
    return found


def _words(match: re.Match[str]) -> list[Word] | None:
    if match["list"] is None:
        return None
    if match["end"] is None:  # the bracket is never closed: nothing is silenced by guess
        return [Word(match["list"], frozenset())]
    table = selectors()
    names = [name for part in match["words"].split(",") if (name := part.strip())]
    return [Word(name, _codes(name, table)) for name in names]


def _codes(name: str, table: dict[str, frozenset[str]]) -> frozenset[str]:
    for form in (name, name.upper(), name.lower()):
        if form in table:
            return table[form]
    return frozenset()


def apply(
    path: str,
    document: Document,
    findings: Iterable[Finding],
    active: Collection[str],
    *,
    left_out: Collection[str] = (),
    later: bool = False,
    complete: bool = True,
    cell_ends: Collection[int] = (),
) -> list[Finding]:
    """The findings that are not suppressed, with TR001 and TR002 where they are among the `active` codes.

    `left_out` are codes that were not looked for (without a git base, without a target GPU): a suppression of theirs is
    not called unused. With `later` some of them are looked for in a moment: one that silences every rule is not called
    unused either. With `complete` false (broken statements, a rule that failed) no suppression is called unused.
    """
    found = directives(document, cell_ends)
    if not found:
        return list(findings)
    kept = [finding for finding in findings if not _silenced(path, finding, found)]
    lines = _LINE_END.split(document.text)
    own: list[Finding] = []
    if "TR002" in active:
        own += [finding for directive in found for finding in _unknown(path, directive)]
    if "TR001" in active and complete:
        judged = frozenset(active) - frozenset(left_out)
        waits = [each for each in found if not (later and each.words is None)]
        own += [finding for each in waits for finding in _unused(path, each, judged, lines)]
    return kept + [finding for finding in own if not _silenced(path, finding, found)]


def silenced(
    path: str, document: Document, findings: Iterable[Finding], cell_ends: Collection[int] = ()
) -> list[Finding]:
    """The findings that are not suppressed."""
    found = directives(document, cell_ends)
    return [finding for finding in findings if not _silenced(path, finding, found)]


def _silenced(path: str, finding: Finding, found: list[Directive]) -> bool:
    hits = [directive.silences(path, finding) for directive in found]  # all of them: each is marked as used
    return any(hits)


def _unknown(path: str, directive: Directive) -> Iterator[Finding]:
    for word in directive.words or ():
        if not word.codes:
            if word.text.startswith("["):
                message = "the bracket of this suppression is never closed, so it silences nothing"
            else:
                hint = nearest(word.text, selectors())
                message = f"`{word.text}` is no rule, id or family, so this suppression silences nothing{hint}"
            yield _finding("TR002", path, directive.span, message)


def _unused(path: str, directive: Directive, judged: frozenset[str], lines: list[str]) -> Iterator[Finding]:
    if directive.words is None:
        if not directive.used:
            message = "this suppression silences nothing"
            yield _finding("TR001", path, directive.span, message, _remove(path, directive, lines))
        return
    useless = [word for word in directive.words if not word.used and _is_judged(word, judged)]
    kept = [word for word in directive.words if word not in useless]
    if useless or not directive.words:
        names = ", ".join(f"`{word.text}`" for word in useless) or "an empty list"
        fix = _keep(path, directive, kept) if kept else _remove(path, directive, lines)
        yield _finding("TR001", path, directive.span, f"this suppression of {names} silences nothing", fix)


def _is_judged(word: Word, judged: frozenset[str]) -> bool:
    """May a word be called unused? Only where all it means was looked for; what a measured step shows never is."""
    looked_for = word.codes - OWN_CODES.keys() - RUNTIME_CODES.keys()
    return bool(looked_for) and looked_for <= judged


def _finding(code: str, path: str, span: Span, message: str, fix: Fix | None = None) -> Finding:
    id, family, level, _ = OWN_CODES[code]
    fixes = () if fix is None else (fix,)
    return Finding(code, id, family, level, "proved", message, path, span, (), fixes, None, f"{DOCS_BASE}{id}")


def _keep(path: str, directive: Directive, kept: list[Word]) -> Fix:
    start = directive.span.column - directive.comment.column
    opening = directive.comment.text.index("[", start)
    closing = directive.comment.text.index("]", opening)
    line, column = directive.span.line, directive.comment.column
    span = Span(line, column + opening + 1, line, column + closing)
    return Fix("Remove what silences nothing", "safe", (Edit(path, span, ", ".join(word.text for word in kept)),))


def _remove(path: str, directive: Directive, lines: list[str]) -> Fix:
    line, start, _, end = directive.span
    text = lines[line - 1]
    before, after = text[: start - 1], text[end - 1 :].lstrip()
    if after:  # another comment follows: it moves up
        span = Span(line, start, line, len(text) - len(after) + 1)
    elif before.strip():
        span = Span(line, len(before.rstrip()) + 1, line, len(text) + 1)
    elif line < len(lines):
        span = Span(line, 1, line + 1, 1)
    else:
        span = Span(line, 1, line, len(text) + 1)
    return Fix("Remove the suppression", "safe", (Edit(path, span, ""),))


class _Cover:
    """Which lines a comment speaks for: its line, the statement that starts or ends there, or the next code line."""

    def __init__(self, document: Document, lines: list[str], cell_ends: frozenset[int]) -> None:
        from trainlint.project.statements import statements

        self.lines = lines
        self.cell_ends = cell_ends
        self.ranges = {(each.first_line, each.last_line) for each in statements(document.module)}

    def lines_of(self, comment: Comment) -> frozenset[int]:
        if not comment.own_line:
            return self._statement(comment.line, both_ends=True)
        line = comment.line
        while line not in self.cell_ends and line < len(self.lines):
            line += 1
            text = self.lines[line - 1].strip()
            if text and not text.startswith("#"):
                return self._statement(line, both_ends=False)
        return frozenset()

    def _statement(self, line: int, *, both_ends: bool) -> frozenset[int]:
        covered = {line}
        for first, last in self.ranges:
            if line == first or (both_ends and line == last):
                covered.update(range(first, last + 1))
        return frozenset(covered)
