"""The pygls server with what we change about it: documents are ours, errors go to the log and not into the editor."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, BinaryIO

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter

from trainlint import __version__
from trainlint.server.wire import Reader

logger = logging.getLogger(__name__)

# pygls applies these to its own document store; ours replaces it (see `documents`). The last one runs commands in a
# way that a cancelled request does not end: its own handler (see `measuring`) can be cancelled.
_OURS = (
    lsp.TEXT_DOCUMENT_DID_OPEN,
    lsp.TEXT_DOCUMENT_DID_CHANGE,
    lsp.TEXT_DOCUMENT_DID_CLOSE,
    lsp.NOTEBOOK_DOCUMENT_DID_OPEN,
    lsp.NOTEBOOK_DOCUMENT_DID_CHANGE,
    lsp.NOTEBOOK_DOCUMENT_DID_CLOSE,
    lsp.WORKSPACE_EXECUTE_COMMAND,
)


class Protocol(LanguageServerProtocol):
    """Answers a request that cannot be read (pygls would leave the client waiting)."""

    @property
    def was_shut_down(self) -> bool:
        return self._shutdown

    def structure_message(self, data: dict[str, Any]) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "jsonrpc" in data and "method" in data and "id" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise


class Server(LanguageServer):
    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "trainlint",
            __version__,
            lsp.TextDocumentSyncKind.Incremental,
            lsp.NotebookDocumentSyncOptions(
                notebook_selector=[
                    lsp.NotebookDocumentFilterWithNotebook(
                        notebook="*", cells=[lsp.NotebookCellLanguage(language="python")]
                    )
                ],
                save=True,
            ),
            protocol_cls=Protocol,
            converter_factory=default_converter,
        )
        for method in _OURS:
            self.protocol.fm.builtin_features.pop(method, None)
        self._reader: Reader | None = None

    def speak(self, messages: BinaryIO, answers: BinaryIO) -> None:
        """Serve the client until it says `exit` or there are no more messages."""
        self._reader = Reader(messages)
        self.protocol.set_writer(StdoutWriter(answers))
        try:
            asyncio.run(
                run_async(threading.Event(), self._reader, self.protocol, error_handler=self.report_server_error)
            )
        except BrokenPipeError:
            logger.warning("the client is gone")
        except (KeyboardInterrupt, SystemExit):
            pass

    def end(self) -> None:
        """Stop as if the client had closed its pipe. Call it in the event loop's thread."""
        if self._reader is not None:
            self._reader.end()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Only the log hears of it: the person at the editor can do nothing about an error of ours."""
        logger.error("%s: %s", getattr(source, "__name__", source), error)
