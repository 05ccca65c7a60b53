"""The language server's handlers: documents in, diagnostics, hovers and code actions out."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from trainlint.server import documents, figures, hover, measured_figures, measured_push, parent
from trainlint.server.actions import KINDS, Actions, wanted
from trainlint.server.busy import Busy
from trainlint.server.checks import Checked, Checks
from trainlint.server.client import Client, read_client
from trainlint.server.diagnostics import part_diagnostics, related_diagnostics, result_id
from trainlint.server.folders import Folders
from trainlint.server.git_base import GitBase
from trainlint.server.guard import guarded
from trainlint.server.ignore_comment import word_in_ignore
from trainlint.server.language_server import Server
from trainlint.server.measured_push import MeasuredPush
from trainlint.server.measurements import Measurements
from trainlint.server.measuring import Measuring
from trainlint.server.models import Models
from trainlint.server.publish import TYPING_PAUSE, Publisher
from trainlint.server.readers import Readers
from trainlint.server.settings import Settings, read_settings, trusted
from trainlint.server.uris import document_key, file_path, file_uri
from trainlint.server.worker import Worker

if TYPE_CHECKING:
    from trainlint.project.session import Session

logger = logging.getLogger(__name__)

LONGEST_WAIT = 20.0  # seconds that a request waits for an analysis before the client is told to ask again
LONGEST_MENU = 3.0  # seconds that a menu of code actions waits
_CONFIG_NAMES = ("pyproject.toml", "trainlint.toml")
_WATCHED = ("**/pyproject.toml", "**/trainlint.toml", "**/*.{py,yaml,yml,json}", "**/.git/HEAD", "**/.git/logs/HEAD")


class App:
    """Everything that one connection holds."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = Client()
        self.folders = Folders()
        self.sources = documents.OpenSources()
        self.worker = Worker(self._session_maker())
        self.base = GitBase(self.worker, self._refresh)
        self.checks = Checks(self.worker, self.sources, self.base.grace, self._tell)
        self.models = Models(self.worker, self.sources, self.checks, self._show_figures, self._show_findings)
        self.measured = Measurements(self.sources, self._show_measured_findings)
        self.measured_push = MeasuredPush(server.text_document_publish_diagnostics, self.measured, self.sources)
        self.measuring = Measuring(server, self.worker, self.sources, self.folders, self.measured, self._show_figures)
        self.checks.complete = self._completed
        self.readers = Readers(self.checks, self._renew, self._ask_to_pull)
        self.busy = Busy(server)
        self.checks.waiting = self.busy.waiting
        self.publisher = self._publisher()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: set[str] = set()
        self._background: set[asyncio.Future[Any]] = set()
        self._register()

    # Lifecycle

    def _register(self) -> None:
        server = self.server
        handlers: dict[str, Callable[[Any], Any]] = {
            lsp.INITIALIZE: self.initialize,
            lsp.INITIALIZED: self.initialized,
            lsp.TEXT_DOCUMENT_DID_OPEN: self.did_open,
            lsp.TEXT_DOCUMENT_DID_CHANGE: self.did_change,
            lsp.TEXT_DOCUMENT_DID_SAVE: self.did_save,
            lsp.TEXT_DOCUMENT_DID_CLOSE: self.did_close,
            lsp.NOTEBOOK_DOCUMENT_DID_OPEN: self.notebook_did_open,
            lsp.NOTEBOOK_DOCUMENT_DID_CHANGE: self.notebook_did_change,
            lsp.NOTEBOOK_DOCUMENT_DID_SAVE: self.notebook_did_save,
            lsp.NOTEBOOK_DOCUMENT_DID_CLOSE: self.notebook_did_close,
            lsp.TEXT_DOCUMENT_HOVER: self.hover,
            lsp.WORKSPACE_DID_CHANGE_CONFIGURATION: self.did_change_configuration,
            lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES: self.did_change_watched_files,
            lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self.did_change_folders,
        }
        for method, handler in handlers.items():
            server.feature(method)(guarded(handler))
        options = lsp.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=True)
        server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, options)(guarded(self.code_action, list))
        server.feature(lsp.CODE_ACTION_RESOLVE)(guarded(self.resolve_action))
        server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)(guarded(self.inlay_hint, list))
        server.feature(lsp.TEXT_DOCUMENT_CODE_LENS)(guarded(self.code_lens, list))
        server.feature(lsp.SHUTDOWN)(guarded(lambda _: self.measuring.stop()))
        self.measuring.register()

    def initialize(self, params: lsp.InitializeParams) -> None:
        self._loop = asyncio.get_running_loop()
        encoding = self.server.workspace.position_encoding
        self.client = read_client(params.capabilities, str(getattr(encoding, "value", encoding)))
        self.publisher = self._publisher()
        folders = [folder.uri for folder in params.workspace_folders or ()] or [params.root_uri or ""]
        self.folders.change((), folders)
        if not self.folders.roots and params.root_path:
            self.folders.change((), [file_uri(params.root_path)])
        if self.client.pulls:
            options = lsp.DiagnosticOptions(
                inter_file_dependencies=True, workspace_diagnostics=False, identifier="trainlint"
            )
            empty = functools.partial(lsp.RelatedFullDocumentDiagnosticReport, items=[])
            self.server.feature(lsp.TEXT_DOCUMENT_DIAGNOSTIC, options)(guarded(self.diagnostic, empty))
        if params.process_id is not None:
            parent.watch(params.process_id, self._end)
        self.folders.common = read_settings(params.initialization_options)
        self._tell_problems()
        self.measuring.trusted = trusted(params.initialization_options)
        self.measuring.shows_progress = self.busy.shows = self.client.progress
        self._renew_session()

    def _end(self) -> None:
        """Stop; may be called from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self.server.end)

    async def initialized(self, _: lsp.InitializedParams) -> None:
        await self._register_dynamically()
        if self.client.pull_settings:
            await self._pull_settings()

    async def _register_dynamically(self) -> None:
        wishes = []
        if self.client.watch_files:
            watchers = [lsp.FileSystemWatcher(glob_pattern=pattern) for pattern in _WATCHED]
            options: Any = lsp.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
            wishes.append(lsp.Registration("trainlint-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
        if self.client.watch_settings:
            options = lsp.DidChangeConfigurationRegistrationOptions(section="trainlint")
            wishes.append(lsp.Registration("trainlint-settings", lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, options))
        if wishes:
            try:
                await self.server.client_register_capability_async(lsp.RegistrationParams(wishes))
            except Exception as error:
                logger.warning("the client refused to register watchers: %s", error)

    # Documents

    def did_open(self, params: lsp.DidOpenTextDocumentParams) -> None:
        if documents.lintable(params.text_document):
            self._open(documents.opened_text(params.text_document, self.folders.first))

    def _open(self, source: documents.Source) -> None:
        old = self.sources.by_key(source.key)
        if old is not None:
            self._close(old.uri)
        self.sources.add(source)
        self.checks.opened(source)
        self.publisher.soon(source, 0)
        self.models.soon(source, 0)
        self.measured.opened(source)
        self.readers.exchanged(source)

    def did_change(self, params: lsp.DidChangeTextDocumentParams) -> None:
        found = self.sources.find(params.text_document.uri)
        if found is None or found[0].notebook:
            return
        source = found[0]
        source.parts[0], splices = documents.edited(
            source.parts[0], params.text_document.version, params.content_changes, self.client.encoding
        )
        self.checks.edited(source, splices)
        self._edited(source, {source.parts[0].uri: splices})

    def _edited(self, source: documents.Source, splices: dict[str, list[documents.Splice]]) -> None:
        """What is shown of the texts moves along; what is not up to date any more is computed after a pause."""
        self.models.edited(source, splices)
        if self.measured.edited(source, splices):
            self._show_figures()
        if measured_push.needed(self.client):
            self.measured_push.tell(source, self.client, self.folders.of(source.path))
        self.publisher.soon(source, TYPING_PAUSE)
        self.readers.edited(source)

    def _renew(self, source: documents.Source) -> None:
        """What the findings of a source depend on changed."""
        self.publisher.soon(source, TYPING_PAUSE)
        self.models.soon(source, TYPING_PAUSE)

    def _ask_to_pull(self) -> None:
        if self.client.pulls and self.client.refresh_diagnostics:
            self._later(self._quietly(self.server.workspace_diagnostic_refresh_async))

    def did_save(self, params: lsp.DidSaveTextDocumentParams) -> None:
        self._saved(params.text_document.uri)

    def did_close(self, params: lsp.DidCloseTextDocumentParams) -> None:
        self._close(params.text_document.uri)

    def _close(self, uri: str) -> None:
        source = self.sources.remove(uri)
        if source is not None:
            self.checks.closed(source)
            self.publisher.closed(source)
            self.models.closed(source)
            self.measured.closed(source)
            self.measured_push.closed(source)
            self.readers.exchanged(source)

    def _saved(self, uri: str) -> None:
        """Other files may depend on the saved one, and a client without file watching tells of changes only here."""
        self._changed_on_disk([uri])
        path = file_path(uri)
        if path is not None:
            self.worker.post(lambda session: session.saved(path))
        self.base.renew()
        self._refresh()

    def _changed_on_disk(self, uris: Iterable[str]) -> None:
        paths = [path for uri in uris if (path := file_path(uri)) is not None]
        for path in paths:
            if self.sources.by_path(path) is None:
                self.worker.post(lambda session, path=path: session.forget(path))  # type: ignore[misc]
        # a client that watches no files tells of a configuration only when it is saved in the editor itself
        configuration = any(Path(path).name in _CONFIG_NAMES for path in paths)
        if configuration:
            self._told.clear()
        if configuration or not self.client.watch_files:
            self.worker.post(lambda session: session.reload_config())

    # Notebooks

    def notebook_did_open(self, params: lsp.DidOpenNotebookDocumentParams) -> None:
        self._open(documents.opened_notebook(params, self.folders.first))

    def notebook_did_change(self, params: lsp.DidChangeNotebookDocumentParams) -> None:
        source = self.sources.source(params.notebook_document.uri)
        if source is None:
            return
        before = {part.uri for part in source.parts if part.is_python}
        splices = documents.change_notebook(source, params, self.client.encoding)
        self.sources.renew_owners(source)
        for uri in before - {part.uri for part in source.parts if part.is_python}:
            self.publisher.removed(source, uri)
        self.checks.rearranged(source)
        self._edited(source, splices)

    def notebook_did_save(self, params: lsp.DidSaveNotebookDocumentParams) -> None:
        self._saved(params.notebook_document.uri)

    def notebook_did_close(self, params: lsp.DidCloseNotebookDocumentParams) -> None:
        self._close(params.notebook_document.uri)

    # Answers

    async def _current(self, source: documents.Source) -> Checked | None:
        """The findings of the current text; asks the client to come back when they take too long."""
        try:
            return await asyncio.wait_for(self.checks.current(source), LONGEST_WAIT)
        except (asyncio.TimeoutError, TimeoutError):
            data = lsp.DiagnosticServerCancellationData(retrigger_request=True)
            code = lsp.LSPErrorCodes.ServerCancelled.value
            raise JsonRpcException("the analysis is not ready yet", code, data) from None

    async def diagnostic(self, params: lsp.DocumentDiagnosticParams) -> lsp.DocumentDiagnosticReport:
        found = self.sources.find(params.text_document.uri)
        if found is None:
            return lsp.RelatedFullDocumentDiagnosticReport(items=[])
        source, _ = found
        if source.notebook:
            self.publisher.pulled(params.text_document.uri)
        checked = await self._current(source)
        index = source.index(params.text_document.uri)
        if checked is None or index is None:
            return lsp.RelatedFullDocumentDiagnosticReport(items=[])
        settings = self.folders.of(source.path)
        items = part_diagnostics(checked, index, self.sources, self.client, settings)
        related = None
        if self.client.related_documents:
            elsewhere = related_diagnostics(checked, self.sources, self.client, settings)
            related = {uri: lsp.FullDocumentDiagnosticReport(items=found) for uri, found in elsewhere.items()}
        else:
            self.publisher.push_related(checked)
        name = result_id((items, related))
        if name == params.previous_result_id:
            return lsp.RelatedUnchangedDocumentDiagnosticReport(result_id=name)
        return lsp.RelatedFullDocumentDiagnosticReport(items=items, related_documents=related, result_id=name)

    async def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        found = self.sources.find(params.text_document.uri)
        if found is None:
            return None
        source, index = found
        body, encoding = source.parts[index].body, self.client.encoding
        line, column = body.lines.position(body.offset(params.position, encoding))
        named = word_in_ignore(body, line, column)
        if named is not None:
            word, span = named
            page = await self.worker.glance(lambda _: hover.rule_page(word))
            return None if page is None else lsp.Hover(hover.content(page, self.client), body.range(span, encoding))
        settings = self.folders.of(source.path)
        if not settings.enable:
            return None
        cell, revision = index if source.notebook else None, source.revision
        card, where = await hover.known(self.worker, source.path, line, column, cell)
        figure = measured = None
        if settings.memory_hover and source.revision == revision:
            part, offset = source.parts[index], body.offset(params.position, encoding)
            figure = figures.figure_at(self.models.of(part.uri), part, offset)
            loops = figure.loops if figure is not None else ()
            measured = measured_figures.figure_at(self.measured, part, offset, loops)
        markdown = figures.together(figures.together(card, figure), measured)
        where = where or next((each.span for each in (figure, measured) if each is not None), None)
        if markdown is None or where is None:
            return None
        return lsp.Hover(hover.content(markdown, self.client), body.range(where, encoding))

    async def code_action(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        found = self.sources.find(params.text_document.uri)
        settings = self._settings(params.text_document.uri)
        if found is None or not settings.enable:
            return []
        only = params.context.only
        if not any(wanted(kind, only) for kind in KINDS):
            return []
        try:
            # the menu of an editor waits for all its servers: one that is not ready must not hold it up
            checked = await asyncio.wait_for(self.checks.current(found[0]), LONGEST_MENU)
        except (asyncio.TimeoutError, TimeoutError):
            return []
        index = found[0].index(params.text_document.uri)
        if checked is None or index is None:
            return []
        return Actions(checked, self.sources, self.client, settings).at(index, params.range, only)

    async def resolve_action(self, action: lsp.CodeAction) -> lsp.CodeAction:
        """The edit of an action on the whole file, for the text as it is now."""
        data = action.data if isinstance(action.data, dict) else {}
        found = self.sources.find(str(data.get("uri", "")))
        if action.edit is None and found is not None:
            checked, index = await self._current(found[0]), found[0].index(str(data["uri"]))
            if checked is not None and index is not None:
                settings = self.folders.of(found[0].path)
                actions = Actions(checked, self.sources, self.client, settings)
                action.edit = actions.all_fixes(str(data.get("kind")), index)
        return action

    async def inlay_hint(self, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        part = await self._figures_of(params.text_document.uri, self.client.refresh_hints)
        settings = self._settings(params.text_document.uri)
        if part is None or not settings.memory_hints:
            return []
        hints = figures.inlay_hints(self.models.of(part.uri), part, params.range, self.client, settings)
        return hints + measured_figures.inlay_hints(self.measured, part, params.range, self.client, settings)

    async def code_lens(self, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
        part = await self._figures_of(params.text_document.uri, self.client.refresh_lenses)
        if part is None or not self._settings(params.text_document.uri).memory_lens:
            return []
        lenses = figures.code_lenses(self.models.of(part.uri), part, self.client)
        return measured_figures.with_lenses(lenses, self.measured, part, self.client)

    async def _figures_of(self, uri: str, refreshes: bool) -> documents.Part | None:
        """The document, when its model is there; a client that can be told to ask again is not kept waiting."""
        found = self.sources.find(uri)
        if found is None or not self.folders.of(found[0].path).enable:
            return None
        if not refreshes:
            await self.models.settled(found[0], LONGEST_WAIT)
            found = self.sources.find(uri)
        return None if found is None else found[0].parts[found[1]]

    def _completed(self, checked: Checked) -> Checked:
        """The findings of a check with those about memory and those of a measured step."""
        checked = self.models.completed(checked)
        if measured_push.needed(self.client):
            return checked
        return measured_figures.completed(checked, self.measured, self.sources)

    def _show_measured_findings(self, source: documents.Source) -> None:
        if measured_push.needed(self.client):
            self.measured_push.tell(source, self.client, self.folders.of(source.path))
        else:
            self._show_findings(source)

    def _show_figures(self) -> None:
        """There are new figures: let the client ask for hints and lenses again."""
        if self.client.refresh_hints and any(settings.memory_hints for settings in self.folders):
            self._later(self._quietly(self.server.workspace_inlay_hint_refresh_async))
        if self.client.refresh_lenses and any(settings.memory_lens for settings in self.folders):
            self._later(self._quietly(self.server.workspace_code_lens_refresh_async))

    def _show_findings(self, source: documents.Source) -> None:
        """The memory of a source has other findings than before."""
        self.publisher.soon(source, 0)
        self._ask_to_pull()

    # Settings and the world outside

    async def did_change_configuration(self, params: lsp.DidChangeConfigurationParams) -> None:
        if self.client.pull_settings:
            await self._pull_settings()
        elif params.settings is not None:
            with self._changing_settings():
                self.folders.common = read_settings(params.settings)

    def did_change_watched_files(self, params: lsp.DidChangeWatchedFilesParams) -> None:
        self._changed_on_disk([change.uri for change in params.changes])
        if any("/.git/" in document_key(change.uri) for change in params.changes):
            self.base.renew()
        opened = {source.key for source in self.sources}
        if any(document_key(change.uri) not in opened for change in params.changes):
            self._refresh()

    async def did_change_folders(self, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        event = params.event
        self.folders.change([folder.uri for folder in event.removed], [folder.uri for folder in event.added])
        self._renew_session()
        self._refresh()
        if self.client.pull_settings:
            await self._pull_settings()

    async def _pull_settings(self) -> None:
        wish = self.folders.wish()
        try:
            answers = await self.server.workspace_configuration_async(lsp.ConfigurationParams(wish))
        except Exception as error:
            logger.warning("the client did not tell its settings: %s", error)
            return
        with self._changing_settings():
            self.folders.told(wish, answers or ())

    @contextmanager
    def _changing_settings(self) -> Iterator[None]:
        """What depends on the settings is computed and shown again where they are others than before."""
        before, overrides = list(self.folders), self.folders.overrides()
        yield
        self._tell_problems()
        if list(self.folders) == before:
            return
        if self.folders.overrides() != overrides:
            self._renew_session()
        self._refresh()
        self._show_figures()

    def _tell_problems(self) -> None:
        for settings in self.folders:
            for problem in settings.problems:
                self._tell(problem)

    def _settings(self, uri: str) -> Settings:
        """The settings that hold for a document."""
        found = self.sources.find(uri)
        return self.folders.common if found is None else self.folders.of(found[0].path)

    def _renew_session(self) -> None:
        """A session with the present roots and settings; what is open is given to it again."""
        self.worker.renew(self._session_maker())
        self.checks.outdate()
        for source in self.sources:
            self.checks.opened(source)
        self.base.ask(self.folders.roots)

    def _refresh(self) -> None:
        """Findings may have changed although no text did: compute them again and tell the client."""
        self.checks.outdate()
        for source in self.sources:
            self.publisher.soon(source, 0)
            self.models.soon(source, 0)
        self._later(self.measuring.judge_again())
        self._ask_to_pull()

    async def _quietly(self, refresh: Callable[[None], Awaitable[Any]]) -> None:
        try:
            await refresh(None)
        except Exception as error:
            logger.info("the client did not refresh: %s", error)

    def _tell(self, message: str) -> None:
        """Show a problem that the person can mend, once; may be called from any thread."""

        def show() -> None:
            if message not in self._told:
                self._told.add(message)
                logger.warning("%s", message)
                shown = lsp.ShowMessageParams(lsp.MessageType.Warning, f"trainlint: {message}")
                self.server.window_show_message(shown)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(show)

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _publisher(self) -> Publisher:
        return Publisher(
            self.server.text_document_publish_diagnostics, self.checks, self.sources, self.client, self.folders
        )

    def _session_maker(self) -> Callable[[], Session]:
        roots, (overrides, inside) = self.folders.roots, self.folders.overrides()

        def make() -> Session:
            from trainlint.project.session import Session

            return Session(roots, overrides, use_cache=True, folders=inside)

        return make
