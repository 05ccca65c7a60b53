"""The same server under pytest-lsp: lsprotocol's own types on both ends, so a malformed answer fails to parse."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest_lsp
from editor import CAPTURES, COMMAND
from lsprotocol import types as lsp
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient, make_test_lsp_client
from training_scripts import BAD, PLANTED

assert sys.executable == COMMAND[0]


def make_client() -> LanguageClient:
    client = make_test_lsp_client()
    client.feature(lsp.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    # what the captured clients say that they answer
    for refresh in (lsp.WORKSPACE_CODE_LENS_REFRESH, lsp.WORKSPACE_INLAY_HINT_REFRESH):
        client.feature(refresh)(lambda params: None)
    return client


@pytest_lsp.fixture(
    params=["vscode-1.139", "neovim-0.11", "emacs-eglot-1.9"],
    config=ClientServerConfig(server_command=COMMAND, client_factory=make_client),
)
async def client(request, lsp_client: LanguageClient, tmp_path: Path):  # type: ignore[no-untyped-def]
    captured = json.loads((CAPTURES / f"{request.param}.json").read_text())
    capabilities = default_converter().structure(captured["capabilities"], lsp.ClientCapabilities)
    await lsp_client.initialize_session(lsp.InitializeParams(capabilities=capabilities, root_uri=tmp_path.as_uri()))
    yield
    await lsp_client.shutdown_session()


async def test_open_find_fix(client: LanguageClient, tmp_path: Path) -> None:
    uri = (tmp_path / "bad.py").as_uri()
    item = lsp.TextDocumentItem(uri=uri, language_id="python", version=1, text=BAD)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    here = lsp.TextDocumentIdentifier(uri)
    if client.capabilities.text_document.diagnostic is not None:  # type: ignore[union-attr]
        report = await client.text_document_diagnostic_async(lsp.DocumentDiagnosticParams(here))
        items = list(report.items)  # type: ignore[union-attr]
    else:
        await client.wait_for_notification("textDocument/publishDiagnostics")
        items = list(client.diagnostics[uri])
    assert {found.code for found in items} >= PLANTED
    image = next(found for found in items if found.code == "IM001")
    context = lsp.CodeActionContext(diagnostics=[image])
    actions = await client.text_document_code_action_async(lsp.CodeActionParams(here, image.range, context))
    kinds = [str(getattr(action.kind, "value", action.kind)) for action in actions or ()]  # type: ignore[union-attr]
    assert "quickfix" in kinds
    assert "source.fixAll.trainlint" in kinds
    hover = await client.text_document_hover_async(lsp.HoverParams(here, lsp.Position(27, 52)))
    assert hover is None or isinstance(hover.contents, lsp.MarkupContent)
