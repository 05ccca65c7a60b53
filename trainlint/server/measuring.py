"""The commands that run one training step, stop it, open a report from elsewhere, and forget what was measured.

The program is run only on such a command, never in a workspace that the client calls untrusted, one at a time. The text
that runs is the one in the editor.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from trainlint.project.texts import file_hash
from trainlint.server import measured_words
from trainlint.server.documents import OpenSources, Snapshot, Source
from trainlint.server.figures import MEASURE
from trainlint.server.folders import Folders
from trainlint.server.interpreters import interpreter_of
from trainlint.server.measurements import Measurements, Place, Result, Text
from trainlint.server.progress import Progress
from trainlint.server.reports import Refused, hash_in, placed_here, read_report, texts_of
from trainlint.server.step_run import StepRun
from trainlint.server.uris import file_path
from trainlint.server.worker import GiveWay, Worker

if TYPE_CHECKING:
    from trainlint.project.measuring import Job, Message
    from trainlint.project.session import Session

logger = logging.getLogger(__name__)

CANCEL = "trainlint.cancelMeasure"
CLEAR, OPEN = "trainlint.clearMeasurements", "trainlint.openReport"
UNTRUSTED = "measuring runs the program, and this workspace is not trusted: nothing was run"


@dataclass(frozen=True, slots=True)
class Wish:
    """The argument of a command. With a `token` the client shows the progress and the answer itself."""

    uri: str | None = None
    token: str | int | None = None
    report: str | None = None

    @classmethod
    def of(cls, arguments: Sequence[Any]) -> Wish:
        """From `{uri, line, token, report}`, or from the URI alone. What makes no sense is left out."""
        first = arguments[0] if arguments else None
        values: dict[str, Any] = first if isinstance(first, dict) else {"uri": first}
        uri, token, report = values.get("uri"), values.get("token"), values.get("report")
        return cls(
            uri if isinstance(uri, str) else None,
            token if isinstance(token, (str, int)) and not isinstance(token, bool) else None,
            report if isinstance(report, str) else None,
        )


class Measuring:
    """One run at a time. Its results go to `measurements`."""

    def __init__(
        self,
        server: Any,
        worker: Worker,
        sources: OpenSources,
        folders: Folders,
        measurements: Measurements,
        shown: Callable[[], None],
    ) -> None:
        """`shown` is called when there are new figures."""
        self._server, self._worker, self._sources = server, worker, sources
        self.measurements, self._shown = measurements, shown
        self._folders = folders
        self.trusted = True
        # does the client show progress that the server begins?
        self.shows_progress = False
        self._running: StepRun | None = None
        self._name = ""

    def register(self) -> None:
        """Offer the commands, and run them so that a cancelled request is a cancelled run."""
        handlers: dict[str, Callable[..., Any]] = {
            MEASURE: self.measure,
            CANCEL: self.cancel_measure,
            CLEAR: self.clear_measurements,
            OPEN: self.open_report,
        }
        for name, handler in handlers.items():
            self._server.command(name)(_plain(handler))

        async def execute(params: lsp.ExecuteCommandParams) -> Any:
            handler = handlers.get(params.command)
            if handler is None:
                raise JsonRpcInvalidParams(f"there is no command {params.command!r}")
            return await _plain(handler)(*params.arguments or ())

        self._server.feature(lsp.WORKSPACE_EXECUTE_COMMAND)(execute)

    def stop(self) -> None:
        """The server ends: so does the run."""
        if self._running is not None:
            self._running.cancel()

    # commands

    async def measure(self, *arguments: Any) -> dict[str, Any]:
        """Run one step of the program. Answers `{message, measured}`; a cancelled run is a cancelled request."""
        wish = Wish.of(arguments)
        try:
            source = self._source(wish)
            if self._running is not None:
                raise Refused(f"{self._name} is being measured already; one program at a time")
            result = await self._measured(source.snapshot(), wish)
        except Refused as why:
            return self._answer(wish, str(why), measured=False)
        self.measurements.add(result)
        self._shown()
        return self._answer(wish, measured_words.summary(result.report, result.rows, result.findings), measured=True)

    async def cancel_measure(self, *arguments: Any) -> dict[str, Any]:
        """End the run that goes on. What was measured before is kept."""
        if self._running is None:
            return self._answer(Wish.of(arguments), "nothing is being measured", cancelled=False)
        self._running.cancel()
        return {"cancelled": True}

    async def clear_measurements(self, *arguments: Any) -> dict[str, Any]:
        """Forget what was measured: of one document where it is named, else of all."""
        wish = Wish.of(arguments)
        found = None if wish.uri is None else self._sources.find(wish.uri)
        self.measurements.clear(None if found is None else found[0])
        self._shown()
        return {"cleared": True}

    async def open_report(self, *arguments: Any) -> dict[str, Any]:
        """Show a JSON report of `trainlint measure` as if it had been measured here; nothing is run."""
        wish = Wish.of(arguments)
        try:
            result = await self._opened(wish)
        except Refused as why:
            return self._answer(wish, str(why), measured=False)
        self.measurements.add(result)
        self._shown()
        text = measured_words.summary(result.report, result.rows, result.findings)
        if self.measurements.stale(result):
            text += "; the text has changed since, where it has no lines are shown"
        return self._answer(wish, text, measured=True)

    def _answer(self, wish: Wish, message: str, **more: Any) -> dict[str, Any]:
        """The answer of a command; clients that do not show it are sent the message."""
        if wish.token is None:
            kind = lsp.MessageType.Info if more.get("measured", True) else lsp.MessageType.Warning
            self._server.window_show_message(lsp.ShowMessageParams(kind, f"trainlint: {message}"))
        return {"message": message, **more}

    # a run

    def _source(self, wish: Wish) -> Source:
        if not self.trusted:
            raise Refused(UNTRUSTED)
        found = None if wish.uri is None else self._sources.find(wish.uri)
        if found is None and wish.uri is not None:
            source = self._sources.source(wish.uri)
            found = None if source is None else (source, 0)
        if found is None:
            raise Refused("open the Python file that trains, and measure it from there")
        if not self._folders.of(found[0].path).enable:
            raise Refused("trainlint is switched off (the setting trainlint.enable)")
        return found[0]

    async def _measured(self, snapshot: Snapshot, wish: Wish) -> Result:
        """Run and evaluate. Raises Refused with what went wrong, and a cancelled request as such."""
        self._name = name = os.path.basename(snapshot.path)
        job = self._job(snapshot)
        logger.info("measuring %s with %s on %s", snapshot.path, job.python, job.device)
        progress = Progress(self._server, wish.token, self.shows_progress)
        run = self._running = StepRun(job, progress.told, lambda line: self._log(f"{name}: {line}"))
        run.outcome.add_done_callback(lambda _: self._over(run))
        try:
            await progress.begin(f"measuring one step of {name}", run.cancel)
            outcome = await asyncio.shield(run.outcome)
            if outcome.recording is None:
                if outcome.why == "cancelled":
                    raise JsonRpcException("measuring was cancelled", lsp.LSPErrorCodes.RequestCancelled.value)
                raise Refused(f"{name} was not measured: {outcome.why}")
            progress.evaluating()
            return await self._evaluated(snapshot, outcome.recording)
        except asyncio.CancelledError:
            run.cancel()
            raise
        finally:
            progress.end()

    def _over(self, run: StepRun) -> None:
        if self._running is run:
            self._running = None
        if not run.outcome.cancelled():
            run.outcome.exception()

    def _job(self, snapshot: Snapshot) -> Job:
        from trainlint.project.magics import neutralise
        from trainlint.project.measuring import Job

        folder = self._folder(snapshot.path)
        if snapshot.notebook:
            cells = [(at, neutralise(part.body.text)) for at, part in enumerate(snapshot.parts) if part.is_python]
            target: dict[str, Any] = {"kind": "notebook", "path": snapshot.path, "cells": cells}
        else:
            target = {"kind": "script", "path": snapshot.path, "source": snapshot.parts[0].body.text}
        settings = self._folders.of(snapshot.path)
        return Job(
            target=target,
            roots=sorted({*self._folders.roots, os.path.dirname(snapshot.path)}),
            arguments=list(settings.measure_arguments),
            device=settings.measure_device,
            timeout=settings.measure_timeout,
            memory_limit=settings.measure_memory,
            python=interpreter_of(settings.measure_interpreter, folder),
            folder=folder,
            # what it prints goes to the log at once, whatever the console's encoding
            environment={"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
        )

    def _folder(self, path: str) -> str:
        """The innermost workspace folder around a file, else the file's own."""
        found = self._folders.around(path) or os.path.dirname(path)
        return found if os.path.isdir(found) else os.getcwd()

    async def _evaluated(self, snapshot: Snapshot, recording: Message) -> Result:
        from trainlint.memory.measured_report import as_object
        from trainlint.memory.recording import played

        loop = asyncio.get_running_loop()
        try:
            report = await loop.run_in_executor(
                None, lambda: as_object(played({**recording, "path": snapshot.path}), located)
            )
        except ValueError as error:
            logger.exception("the recording cannot be played")
            raise Refused(f"what was recorded makes no sense: {error}") from error
        hashes: dict[Text, str | None] = {
            (snapshot.path, at if snapshot.notebook else None): part.body.hash for at, part in enumerate(snapshot.parts)
        }
        for path, cell in texts_of(report) - hashes.keys():
            hashes[path, cell] = file_hash(path) if cell is None else None
        return await self._beside(report, hashes)

    async def _beside(self, report: dict[str, Any], hashes: dict[Text, str | None]) -> Result:
        """The result with the static estimate of the same loop, if that file is open."""
        from trainlint.project.beside import difference, kept

        path = report["loop"]["path"]
        findings = await self._applying(report)
        if path is None or self._sources.by_path(path) is None:
            return Result(report, hashes, findings=findings)

        def estimate(session: Session, heed: Callable[[], None]) -> tuple[dict[str, Any] | None, dict[Place, int]]:
            from trainlint.memory.report import as_object
            from trainlint.project.beside import same_loop

            def where(path: str, line: int) -> Place:
                return (path, *session.located(path, line))

            try:
                found = same_loop(session.estimates(path, report["batch_size"], heed), report, where)
            except GiveWay:
                raise
            except Exception:
                logger.exception("the estimate of %s failed", path)
                return None, {}
            return (None, {}) if found is None else (as_object(found, where), kept(found, where))

        estimated, stays = await self._worker.idle(estimate)
        rows = difference(estimated, report)
        for row in (rows or {}).values():
            # reasons name files; there is no room for whole paths
            row["why"] = row["why"] and row["why"].replace(os.path.join(os.path.dirname(path), ""), "")
        return Result(report, hashes, estimated, stays, rows, findings)

    async def _applying(self, report: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The findings of a report that are selected and not silenced. Where the configuration is broken, all."""
        from trainlint.project.errors import UsageError
        from trainlint.project.runtime_findings import applying

        found = list(report.get("findings") or ())

        def judge(session: Session) -> list[dict[str, Any]]:
            try:
                return applying(session, found)
            except UsageError:
                return found

        return await self._worker.run(judge) if found else found

    async def judge_again(self) -> None:
        """The configuration may have changed."""
        for result in self.measurements.results:
            self.measurements.judged(result, await self._applying(result.report))

    # a report

    async def _opened(self, wish: Wish) -> Result:
        """A report of a file, on the texts here. Raises Refused."""
        if wish.report is None:
            raise Refused("name the report: the file that `trainlint measure --output-format json` wrote")
        path = file_path(wish.report) or wish.report
        path = path if os.path.isabs(path) else os.path.join(self._folders.first or os.getcwd(), path)
        report = read_report(path)
        own = None if wish.uri is None else self._sources.find(wish.uri)
        folders = [os.path.dirname(path), *self._folders.roots]
        folders += [os.path.dirname(source.path) for source in self._sources]
        try:
            here = placed_here(report, folders, own[0].path if own is not None else None)
            # whatever is shown later must be there
            measured_words.summary(here, None)
            measured_words.of_step(None, here, here["how"])
            hashes = {text: hash_in(report, text, here) for text in texts_of(here)}
            return await self._beside(here, hashes)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Refused(f"{os.path.basename(path)} is no report of `trainlint measure`: {error!r}") from error

    def _log(self, text: str) -> None:
        self._server.window_log_message(lsp.LogMessageParams(lsp.MessageType.Log, text))


def _plain(handler: Callable[..., Any]) -> Callable[..., Any]:
    async def command(*arguments: Any) -> Any:
        try:
            return await handler(*arguments)
        except JsonRpcException:
            raise
        except Exception:
            logger.exception("%s failed", handler.__name__)
            return {"message": "an error of trainlint, see its log", "measured": False}

    return command


def located(path: str, line: int) -> Place:
    """An absolute path with the cell that travels in it."""
    file, separator, cell = path.rpartition("::")
    return (file, int(cell), line) if separator and cell.isdigit() else (path, None, line)
