"""What the connected editor can do, read once from its capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types as lsp

from trainlint.server.positions import Encoding


@dataclass(frozen=True, slots=True)
class Client:
    encoding: Encoding = "utf-16"
    pulls: bool = False
    related_information: bool = False
    related_documents: bool = False
    unnecessary_tag: bool = False
    markdown: bool = False
    document_changes: bool = False
    preferred: bool = False
    resolves_edits: bool = False
    refresh_diagnostics: bool = False
    refresh_hints: bool = False
    refresh_lenses: bool = False
    watch_files: bool = False
    pull_settings: bool = False
    watch_settings: bool = False
    progress: bool = False


def _get(capabilities: object, path: str) -> Any:
    value: Any = capabilities
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def read_client(capabilities: lsp.ClientCapabilities, encoding: str) -> Client:
    publish, pull = "text_document.publish_diagnostics", "text_document.diagnostic"
    pulls = _get(capabilities, pull) is not None
    channel = pull if pulls and _get(capabilities, f"{pull}.related_information") is not None else publish
    tags = _get(capabilities, f"{channel}.tag_support.value_set") or ()
    formats = _get(capabilities, "text_document.hover.content_format") or ()
    units: Encoding = "utf-8" if encoding == "utf-8" else "utf-32" if encoding == "utf-32" else "utf-16"
    return Client(
        encoding=units,
        pulls=pulls,
        related_information=bool(_get(capabilities, f"{channel}.related_information")),
        related_documents=bool(_get(capabilities, f"{pull}.related_document_support")),
        unnecessary_tag=lsp.DiagnosticTag.Unnecessary in tags,
        markdown=lsp.MarkupKind.Markdown in formats,
        document_changes=bool(_get(capabilities, "workspace.workspace_edit.document_changes")),
        preferred=bool(_get(capabilities, "text_document.code_action.is_preferred_support")),
        resolves_edits="edit" in (_get(capabilities, "text_document.code_action.resolve_support.properties") or ()),
        refresh_diagnostics=bool(_get(capabilities, "workspace.diagnostics.refresh_support")),
        refresh_hints=bool(_get(capabilities, "workspace.inlay_hint.refresh_support")),
        refresh_lenses=bool(_get(capabilities, "workspace.code_lens.refresh_support")),
        watch_files=bool(_get(capabilities, "workspace.did_change_watched_files.dynamic_registration")),
        pull_settings=bool(_get(capabilities, "workspace.configuration")),
        watch_settings=bool(_get(capabilities, "workspace.did_change_configuration.dynamic_registration")),
        progress=bool(_get(capabilities, "window.work_done_progress")),
    )
