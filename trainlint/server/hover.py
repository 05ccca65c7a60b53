"""Hover: what the session knows at a place, or the page of a rule that an ignore comment names."""

from __future__ import annotations

import asyncio

from lsprotocol import types as lsp

from trainlint.server.client import Client
from trainlint.server.markdown import plain
from trainlint.server.worker import Worker
from trainlint.text.place import Span

# seconds that a hover waits for the exact answer: where the last analysis said nothing, and where it did
LONGEST, PATIENT = 10.0, 0.01


def content(markdown: str, client: Client) -> lsp.MarkupContent:
    if client.markdown:
        return lsp.MarkupContent(lsp.MarkupKind.Markdown, markdown)
    return lsp.MarkupContent(lsp.MarkupKind.PlainText, plain(markdown))


async def known(worker: Worker, path: str, line: int, column: int, cell: int | None) -> tuple[str | None, Span | None]:
    """What the session knows of a place. While it is busy with a newer text, what it knew of the last one."""
    current, seen = await worker.glance(lambda session: session.glance(path, line, column, cell))
    # work that has taken longer than we would wait is not about to end
    if not current and (seen is None or worker.spent() < PATIENT):
        exact = asyncio.ensure_future(worker.idle(lambda session, heed: session.hover(path, line, column, cell, heed)))
        # what was not there in the last text is worth waiting for
        done, _ = await asyncio.wait([exact], timeout=LONGEST if seen is None else PATIENT)
        if done:
            seen = exact.result()
        else:
            exact.cancel()
    return (None, None) if seen is None else (seen.markdown, seen.span)


def rule_page(word: str) -> str | None:
    """Markdown about a rule by its code or id, or about a family; None for a word that names nothing."""
    from trainlint.rules.registry import DOCS_BASE, OWN_CODES, all_rules
    from trainlint.rules.runtime import FAMILY, RUNTIME_CODES

    rules = all_rules()
    for rule in rules.values():
        if word in (rule.code, rule.id):
            summary, _, rest = rule.doc.partition("\n")
            return f"**{rule.code}** `{rule.id}` · {rule.level}\n\n{summary}\n{rest}\n\n[{rule.url}]({rule.url})"
    for code, (id, _, level, summary) in OWN_CODES.items():
        if word in (code, id):
            return f"**{code}** `{id}` · {level}\n\n{summary}.\n\n[{DOCS_BASE}{id}]({DOCS_BASE}{id})"
    for code, each in RUNTIME_CODES.items():
        if word in (code, each.id):
            url = f"{DOCS_BASE}{each.id}"
            rest = each.doc.partition("\n")[2]
            return f"**{code}** `{each.id}` · {each.level}\n\n{each.summary}\n{rest}\n\n[{url}]({url})"
    if word in (FAMILY, "RT"):
        lines = [
            f"- **{code}** [{each.id}]({DOCS_BASE}{each.id}): {each.summary}" for code, each in RUNTIME_CODES.items()
        ]
        return "\n".join(["What a measured step shows of mistakes:", "", *lines])
    family = [rule for rule in rules.values() if word in (rule.family, rule.code.rstrip("0123456789"))]
    if not family:
        return None
    lines = [f"- **{rule.code}** [{rule.id}]({rule.url}): {rule.summary}" for rule in family]
    return "\n".join([f"The rules of the family `{family[0].family}`:", "", *lines])
