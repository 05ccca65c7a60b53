"""`trainlint rule`: the page of a rule, or the table of all rules."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from trainlint.project.config import nearest
from trainlint.project.errors import UsageError
from trainlint.rules.registry import DOCS_BASE, OWN_CODES, Rule, all_rules
from trainlint.rules.runtime import FAMILY, RUNTIME_CODES

if TYPE_CHECKING:
    import argparse


def show_rule(options: argparse.Namespace) -> int:
    """Print one rule, all of them (`--all`), or the table. Raises UsageError for an unknown rule."""
    pages = _pages()
    if options.rule is not None:
        pages = [page for page in pages if options.rule in (page["code"], page["id"])] or _by_case(options.rule, pages)
    if options.output_format == "json":
        text = json.dumps(pages[0] if options.rule is not None else pages, indent=1) + "\n"
    elif options.rule is None and not options.all:
        text = _table(pages, markdown=options.output_format == "markdown")
    else:
        text = "\n".join(_page(page, markdown=options.output_format == "markdown") for page in pages)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    return 0


def _by_case(name: str, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [page for page in pages if name.casefold() in (page["code"].casefold(), page["id"].casefold())]
    if not found:
        words = [page[key] for page in pages for key in ("code", "id")]
        raise UsageError(f"unknown rule '{name}'{nearest(name, words)} (`trainlint rule` lists them)")
    return found


def _pages() -> list[dict[str, Any]]:
    pages = [_of_rule(rule) for rule in all_rules().values()]
    for code, (id, family, level, summary) in OWN_CODES.items():
        doc = f"{summary}."
        pages.append(_entry(code, id, family, level, "0.1", False, summary, doc, f"{DOCS_BASE}{id}"))
    for code, each in RUNTIME_CODES.items():
        url = f"{DOCS_BASE}{each.id}"
        pages.append(_entry(code, each.id, FAMILY, each.level, "0.1", False, each.summary, each.doc, url))
    return sorted(pages, key=lambda page: str(page["code"]))


def _of_rule(rule: Rule) -> dict[str, Any]:
    return _entry(
        rule.code, rule.id, rule.family, rule.level, rule.since, rule.preview, rule.summary, rule.doc, rule.url
    )


def _entry(
    code: str, id: str, family: str, level: str, since: str, preview: bool, summary: str, doc: str, url: str
) -> dict[str, Any]:
    return {
        "code": code,
        "id": id,
        "family": family,
        "level": level,
        "since": since,
        "preview": preview,
        "summary": summary,
        "doc": doc,
        "url": url,
    }


def _page(page: dict[str, Any], *, markdown: bool) -> str:
    preview = ", preview" if page["preview"] else ""
    about = f"{page['family']}, {page['level']}, since {page['since']}{preview}"
    title = f"{page['id']} ({page['code']})"
    if markdown:
        return f"# {title}\n\n{about}\n\n{page['doc']}\n\n{page['url']}\n"
    return f"{title}\n{'=' * len(title)}\n{about}\n\n{_plain(page['doc'])}\n\n{page['url']}\n"


def _plain(doc: str) -> str:
    """The page's Markdown as text for a terminal: headings without marks, code indented without fences."""
    lines, in_code = [], False
    for line in doc.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        elif in_code:
            lines.append(f"    {line}".rstrip())
        else:
            heading = re.match(r"#+\s+(.*)", line)
            lines.append(heading[1].upper() if heading else line)
    return "\n".join(lines)


def _table(pages: list[dict[str, Any]], *, markdown: bool) -> str:
    if markdown:
        rows = [f"| {p['code']} | [{p['id']}]({p['url']}) | {p['level']} | {p['summary']} |" for p in pages]
        return "\n".join(["| code | id | level | summary |", "|---|---|---|---|", *rows]) + "\n"
    width = max(len(page["id"]) for page in pages)
    return "".join(f"{p['code']:<7} {p['id']:<{width}}  {p['level']:<8} {p['summary']}\n" for p in pages)
