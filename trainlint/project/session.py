"""The session: what the command line and the server use of everything below. One thread at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from trainlint.project.config import Overrides
from trainlint.project.errors import ConfigError, UsageError
from trainlint.project.prefilter import may_concern
from trainlint.project.report import FileReport
from trainlint.project.settings import Settings
from trainlint.project.source import UnreadableSource, decode

if TYPE_CHECKING:
    from trainlint.analysis.describe import Told
    from trainlint.memory.estimate import Estimate
    from trainlint.memory.notes import Notes
    from trainlint.memory.target import Target
    from trainlint.project.bases import Bases
    from trainlint.project.cache import Cache
    from trainlint.project.notebooks import Cell, Joined
    from trainlint.project.workspace import FileWorkspace
    from trainlint.rules.engine import Analyser, Base, Hover
    from trainlint.rules.finding import Finding
    from trainlint.syntax.document import Document

MAX_BYTES = 20_000_000


class Loaded:
    """A file as read: its bytes (of a notebook too), the Python text, and the cells of a notebook."""

    __slots__ = ("joined", "raw", "text")

    def __init__(self, raw: bytes, text: str, joined: Joined | None) -> None:
        self.raw = raw
        self.text = text
        self.joined = joined


class Session:
    """Checks files of the workspace below `roots`. Paths are absolute; lines and columns 1-based code points."""

    def __init__(
        self,
        roots: Iterable[str | os.PathLike[str]],
        overrides: Overrides | None = None,
        use_cache: bool = False,
        diff_base: str | None = None,
        folders: Mapping[str, Overrides] | None = None,
    ) -> None:
        """`folders` are those with overrides of their own, which hold there in place of `overrides`."""
        self.roots = tuple(os.path.abspath(root) for root in roots)
        self.settings = Settings(overrides or Overrides(), folders)
        self._workspace: FileWorkspace | None = None
        self._use_cache = use_cache
        self._cache: Cache | None = None
        self._analyser: Analyser | None = None
        self._bases: Bases | None = None
        self._hashes: dict[str, tuple[object, str | None]] = {}
        self._notebooks: dict[str, Joined] = {}
        # open files: not stored in the cache as they are, and answered from there without an analysis
        self._unstored: set[str] = set()
        self._recalled: dict[str, frozenset[str]] = {}
        if diff_base is not None:
            self.set_base(diff_base)

    @property
    def workspace(self) -> FileWorkspace:
        """The files; made when it is first needed, for start-up counts."""
        if self._workspace is None:
            from trainlint.project.workspace import FileWorkspace

            self._workspace = FileWorkspace(self.roots)
        return self._workspace

    # files on disk

    def check(self, path: str) -> FileReport:
        """Check a file, from the cache where it has the answer. Raises ConfigError; every other trouble is reported."""
        return self.recall(path) or self.analyse(path)

    def recall(self, path: str) -> FileReport | None:
        """The report where it needs no parsing: unreadable, of no concern, or known; else None. Raises ConfigError."""
        loaded = self._load(path)
        if isinstance(loaded, FileReport):
            return loaded
        cache = self._ready_cache()
        if cache is None:
            self.settings.config(os.path.dirname(path))
            return None
        return cache.get(self._key(cache, path, loaded), self._locate, self._content_hash)

    def analyse(self, path: str) -> FileReport:
        """Check a file without asking the cache, and store the answer there. Raises ConfigError."""
        loaded = self._load(path)
        if isinstance(loaded, FileReport):
            return loaded
        cache = self._ready_cache()
        key = None if cache is None else self._key(cache, path, loaded)
        report = self._judge(path, lambda: self._document(path, loaded), loaded.joined)
        if cache is not None and key is not None and not report.internal:
            cache.put(key, report, self.workspace.asked_by(path), self._content_hash)
        return report

    # what an editor has open

    def open(self, path: str, text: str) -> None:
        """The file is open with this text, whatever is on disk."""
        if self.workspace.is_open(path):
            self._put_document(path, text)
        else:
            self.workspace.open(path, text)
            self._unstored.add(path)
        self._forget(path)

    def saved(self, path: str) -> None:
        """An open file was saved: what is found in this text is worth keeping for the next time it is opened."""
        self._unstored.add(path)

    def edit(self, path: str, start: int, end: int, new: str) -> None:
        """Replace the code points `start:end` of an open file. Raises KeyError where it is not open."""
        document = self.workspace.opened(path)
        if document is None:
            raise KeyError(path)
        document.edit(start, end, new)
        self._forget(path)

    def open_notebook(self, path: str, cells: Sequence[Cell]) -> None:
        """The notebook is open with these cells; call it again after each change."""
        from trainlint.project.notebooks import join_cells

        self._notebooks[path] = joined = join_cells(cells)
        self.open(path, joined.text)

    def close(self, path: str) -> None:
        """The file is closed: what is on disk counts again."""
        self.workspace.close(path)
        self._notebooks.pop(path, None)
        self._unstored.discard(path)
        self._recalled.pop(path, None)
        self._forget(path)

    def check_open(self, path: str, heed: Callable[[], None] | None = None) -> FileReport:
        """Check an open file, but for what needs its memory (see `notes`). Never raises: it is the report's `error`.

        `heed` is called again and again; a BaseException that it raises (no Exception) ends the work.
        """
        if not self.workspace.is_open(path):
            return FileReport(path, error="the file is not open", skipped=True)
        try:
            self.settings.config(os.path.dirname(path))
            text = self.workspace.text(path) or ""
            if not may_concern(text.encode("utf-8", "surrogatepass")):
                return FileReport(path)
            key = self._open_key(path, text)
            known = self._recalled_open(path, key)
            if known is not None:
                return known
            report = self._judge_open(path, heed)
            cache = self._ready_cache()
            if cache is not None and key is not None and not report.internal:
                cache.put(key, report, self.workspace.asked_by(path), self._content_hash)
                self._unstored.discard(path)
            return report
        except ConfigError as error:
            return FileReport(path, error=str(error), skipped=True)

    def _judge_open(self, path: str, heed: Callable[[], None] | None) -> FileReport:
        document, analyser = self.workspace.opened(path), self._ready_analyser()
        assert document is not None
        analyser.edits = True
        with analyser.heeding(heed):
            return self._judge(path, lambda: document, self._notebooks.get(path), weigh=False)

    def _open_key(self, path: str, text: str) -> str | None:
        """The key of what an open file has, where its findings may come from the cache or go there.

        Only of a text that was just opened or saved, and only while nothing else is open: of other files the cache
        knows what is on disk.
        """
        cache = self._ready_cache()
        if cache is None or path not in self._unstored or path in self._notebooks:
            return None
        if self.workspace.opened_paths() != {path}:
            return None
        return self._key(cache, path, Loaded(b"open:" + text.encode("utf-8", "surrogatepass"), text, None))

    def _recalled_open(self, path: str, key: str | None) -> FileReport | None:
        """What was found in this text another time; it needs not even to be parsed."""
        cache = self._ready_cache()
        if cache is None or key is None or self.workspace.unparsed(path) is None:
            return None
        read: set[str] = set()

        def content(other: str) -> str | None:
            read.add(other)
            return self._content_hash(other)

        report = cache.get(key, self._locate, content)
        if report is not None:
            self._recalled[path] = frozenset(read)
        return report

    def reads(self, path: str) -> frozenset[str]:
        """The paths of the other files that the findings of a file depend on."""
        asked = frozenset(answer for *_, answer in self.workspace.asked_by(path) if answer is not None)
        return (asked | self._recalled.get(path, frozenset())) - {path}

    def hover(
        self, path: str, line: int, column: int, cell: int | None = None, heed: Callable[[], None] | None = None
    ) -> Hover | None:
        """What is known at a place of a file, in the lines of the cell for a notebook; None where nothing is.

        `heed` is called again and again while the file is interpreted; an error that it raises ends the work.
        """
        document, joined = self._at_hand(path)
        where = _joined_line(joined, cell, line)
        if document is None or where is None:
            return None
        with self._ready_analyser().heeding(heed):
            return _in_cell(self._ready_analyser().hover(path, document, where, column), joined, cell)

    def glance(self, path: str, line: int, column: int, cell: int | None = None) -> tuple[bool, Hover | None]:
        """What was known at a place of an open file when it was last interpreted with values; was that this text?"""
        document, joined = self.workspace.opened(path), self._notebooks.get(path)
        where = _joined_line(joined, cell, line)
        if document is None or where is None:
            return True, None
        current, hover = self._ready_analyser().glance(path, document, where, column)
        return current, _in_cell(hover, joined, cell)

    def facts_at(self, path: str, line: int) -> list[str]:
        """The facts known at a line, as text."""
        document, _ = self._at_hand(path)
        return [] if document is None else self._ready_analyser().facts_at(path, document, line)

    def told_at(self, path: str, line: int, rows: int) -> list[Told]:
        """What there is to say about each expression of a line, with tables of at most so many rows."""
        document, _ = self._at_hand(path)
        return [] if document is None else self._ready_analyser().told_at(path, document, line, rows)

    def memory(
        self,
        path: str,
        batch: int | None = None,
        target: Target | None = None,
        heed: Callable[[], None] | None = None,
    ) -> list[Estimate]:
        """The memory of a step of each training loop of a file, on a GPU where one is meant.

        `heed` is called again and again, now and when a step is played later; an error that it raises ends the work.
        """
        document, _ = self._at_hand(path)
        if document is None:
            return []
        return self._ready_analyser().memory(path, document, batch, target, self._processes(path), heed)

    def estimates(self, path: str, batch: int | None, heed: Callable[[], None] | None = None) -> list[Estimate]:
        """As `memory`, for an open file whose hovers and notes are computed anyway: what they know is used again.

        `heed` is called again and again; an error that it raises ends the work.
        """
        document, _ = self._at_hand(path)
        if document is None:
            return []
        return self._ready_analyser().estimates(path, document, batch, heed, self._processes(path))

    def _processes(self, path: str) -> int | None:
        """How many processes train together, where the configuration of a file says it. Raises ConfigError."""
        return self.settings.config(os.path.dirname(path)).world_size

    def broken_line(self, path: str) -> int | None:
        """The first line that does not parse, None where all of the file does."""
        from trainlint.project.statements import broken_lines

        document, _ = self._at_hand(path)
        broken = broken_lines(document.module)[0] if document is not None else []
        return broken[0] if broken else None

    def source_line(self, path: str, cell: int | None, line: int) -> str:
        """The text of a line of a file or a cell; empty where there is none."""
        document, joined = self._at_hand(path)
        if document is None:
            return ""
        try:
            number = line if cell is None or joined is None else joined.line_of(cell, line)
        except ValueError:
            return ""
        lines = document.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def notes(
        self, path: str, heed: Callable[[], None] | None = None
    ) -> tuple[Notes, tuple[Finding, ...], bool] | None:
        """What an editor shows of the memory of an open file, with cells and their lines for a notebook.

        Beside it the findings about memory, which `check_open` leaves out, and whether statements do not parse. None
        where the file is not open. `heed` is called again and again; an error that it raises ends the work. Raises
        ConfigError.
        """
        document, joined = self.workspace.opened(path), self._notebooks.get(path)
        if document is None:
            return None
        from trainlint.memory.notes import Notes
        from trainlint.project.notes import in_cells, namer
        from trainlint.project.statements import broken_lines

        if not may_concern(document.text.encode("utf-8", "surrogatepass")):
            return Notes(), (), False
        from trainlint.project.judge import late_suppressions, reported, target_for, weighing

        if path in self._recalled:
            # the next key shall find an analysis to build on
            self._judge_open(path, heed)
            self._recalled.pop(path, None)
        rules = weighing(path, self.settings)
        found, raw = self._ready_analyser().notes(
            path,
            document,
            namer(path, joined),
            rules,
            target_for(path, self.settings),
            heed,
            self._processes(path),
        )
        findings = reported(path, document, joined, raw, self.settings)
        base, analyser = self._base(path), self._ready_analyser()
        with analyser.heeding(heed):
            findings += late_suppressions(path, document, joined, base, analyser, raw, self.settings)
        return in_cells(found, path, joined), tuple(findings), bool(broken_lines(document.module)[0])

    def level_of(self, path: str, finding: Finding, silence: bool = True) -> str | None:
        """The level of a finding of a measured step in a file; None where it does not apply. Raises ConfigError."""
        from trainlint.project.runtime_findings import level_of

        document, joined = self._at_hand(path) if silence else (None, None)
        return level_of(finding, document, joined, self.settings)

    def frameworks(self, path: str) -> list[str]:
        """The training frameworks that a file imports, by name."""
        from trainlint.analysis.frameworks import frameworks_of

        document, _ = self._at_hand(path)
        return [] if document is None else sorted(frameworks_of(document.module))

    def located(self, path: str, line: int) -> tuple[int | None, int]:
        """The cell of a notebook and the line in it, or None and the line of any other file."""
        joined = self._at_hand(path)[1] if path.endswith(".ipynb") else None
        return (None, line) if joined is None else joined.locate(line)

    # changes of the outside

    def set_base(self, rev: str | None) -> None:
        """Compare with this git revision from now on, or with none; call it again when HEAD may have moved."""
        if self._bases is not None and rev == self._bases.rev:
            self._bases.renew()
            return
        if self._bases is not None:
            self._bases.close()
            self._bases = None
        if rev is not None:
            from trainlint.project.bases import Bases

            self._bases = Bases(self.roots, rev)

    def reload_config(self) -> None:
        """A configuration file changed on disk."""
        self.settings.forget()

    def forget(self, path: str) -> None:
        """A file that is not open changed on disk."""
        self.workspace.forget(path)
        self._forget(path)

    def put_text(self, path: str, text: str | None) -> None:
        """Lay a text over a file on disk (None takes it away): for fixes that are tried before they are written."""
        if text is None:
            self.workspace.overlay.drop(path)
        else:
            self.workspace.overlay.put(path, text)
        self.forget(path)

    def stop(self) -> None:
        """End the git process, if one runs, and drop cache entries that nobody has asked for in a month."""
        if self._bases is not None:
            self._bases.close()
        if self._cache is not None:
            self._cache.prune()

    # inside

    def _load(self, path: str) -> Loaded | FileReport:
        laid = None if self._workspace is None else self._workspace.overlay.text(path)
        try:
            if laid is not None:
                raw, text = laid.encode("utf-8", "surrogatepass"), laid
            else:
                raw = _read(path)
                text = decode(raw).text
            joined = None
            if path.endswith(".ipynb"):
                from trainlint.project.notebooks import join_cells, read_notebook

                joined = join_cells(read_notebook(text).cells)
                text = joined.text
        except OSError as error:
            return FileReport(path, error=f"cannot be read: {error.strerror or error}", skipped=True)
        except UnreadableSource as error:
            return FileReport(path, error=str(error), skipped=True)
        if not may_concern(raw, notebook=joined is not None):
            return FileReport(path)
        return Loaded(raw, text, joined)

    def _document(self, path: str, loaded: Loaded) -> Document:
        known = None if loaded.joined is not None else self.workspace.document(path)
        if known is not None and known.text == loaded.text:
            return known
        from trainlint.syntax.document import Document

        return Document(loaded.text)

    def _judge(
        self, path: str, document: Callable[[], Document], joined: Joined | None, weigh: bool = True
    ) -> FileReport:
        from trainlint.project.judge import judge

        try:
            return judge(path, document(), joined, self._base(path), self._ready_analyser(), self.settings, weigh)
        except UsageError:
            raise
        except RecursionError:
            return FileReport(path, error="is nested too deeply to be checked", skipped=True)
        except Exception as error:
            import logging

            from trainlint.project.internal import describe

            logging.getLogger(__name__).exception("%s: the analysis failed", path)
            return FileReport(path, error=describe(error), skipped=True, internal=True)

    def _base(self, path: str) -> Base | None:
        known = None if self._bases is None else self._bases.of(path)
        if known is None:
            return None
        from trainlint.rules.engine import Base

        return Base(*known)

    def _ready_analyser(self) -> Analyser:
        if self._analyser is None:
            import logging

            # who wants to read the log adds a handler; without any, Python would print warnings and worse to stderr
            logging.getLogger("trainlint").addHandler(logging.NullHandler())
            from trainlint.rules.engine import Analyser

            self._analyser = Analyser(self.workspace)
        return self._analyser

    def _ready_cache(self) -> Cache | None:
        if self._use_cache and self._cache is None:
            from trainlint.project.cache import Cache

            self._cache = Cache()
        return self._cache

    def _key(self, cache: Cache, path: str, loaded: Loaded) -> str:
        commit = None if self._bases is None else self._bases.commit(path)
        base = "" if commit is None else f"{commit.id} {commit.label}"
        return cache.key(path, loaded.raw, "\n".join((self.settings.stamp(path), *self.roots, base)))

    def _locate(self, importer: str, level: int, name: str) -> str | None:
        locator = self.workspace.locator
        return locator.data(importer, name) if level < 0 else locator.module(importer, level, name)

    def _content_hash(self, path: str) -> str | None:
        from trainlint.project.cache import digest

        stamp = self.workspace.tree.stamp(path)
        known = self._hashes.get(path)
        if known is None or known[0] != stamp:
            raw = self.workspace.tree.read(path)
            known = self._hashes[path] = (stamp, None if raw is None else digest(raw))
        return known[1]

    def _at_hand(self, path: str) -> tuple[Document | None, Joined | None]:
        opened = self.workspace.opened(path)
        if opened is not None:
            return opened, self._notebooks.get(path)
        loaded = self._load(path)
        if isinstance(loaded, FileReport):
            return self.workspace.document(path), None
        return self._document(path, loaded), loaded.joined

    def _put_document(self, path: str, text: str) -> None:
        """Change an open document into a text by one edit: what did not change is not parsed again."""
        document = self.workspace.opened(path)
        if document is None or document.text == text:
            return
        old, shorter = document.text, min(len(document.text), len(text))
        start = tail = 0
        while start < shorter and old[start] == text[start]:
            start += 1
        while tail < shorter - start and old[-1 - tail] == text[-1 - tail]:
            tail += 1
        document.edit(start, len(old) - tail, text[start : len(text) - tail])

    def _forget(self, path: str) -> None:
        if self._analyser is not None:
            self._analyser.forget(path)


def _joined_line(joined: Joined | None, cell: int | None, line: int) -> int | None:
    """The line in the joined text of a notebook; of any other file the line itself. None where there is none."""
    if joined is None or cell is None:
        return line
    try:
        return joined.line_of(cell, line)
    except ValueError:
        return None


def _in_cell(hover: Hover | None, joined: Joined | None, cell: int | None) -> Hover | None:
    if hover is None or joined is None or cell is None:
        return hover
    return hover._replace(markdown=joined.retold(hover.markdown, cell), span=joined.locate_span(hover.span)[1])


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise UnreadableSource(f"is larger than {MAX_BYTES // 1_000_000} MB")
    return raw
