"""The two formats of a hover: markdown, and plain text for editors that show no markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flyte_sidecar.events.plain_text import escape_unsafe, one_line
from flyte_sidecar.lsp.safe_markdown import MAX_MARKDOWN_LENGTH, quote, safe_markdown
from flyte_sidecar.lsp.sanitize import code_span, escape_line, escape_text, is_shown_url


class Markup(Protocol):
    """Formats untrusted text."""

    def heading(self, text: str) -> str: ...

    def title(self, name: str, details: str) -> str:
        """Return a name and what belongs to it as the first line of a hover."""

    def text(self, text: str) -> str:
        """Return text of one line inside of a line."""

    def code(self, text: str) -> str:
        """Return a name inside of a line."""

    def link(self, text: str, url: str | None) -> str:
        """Return a name inside of a line, with its page."""

    def quote(self, text: str, is_markdown: bool) -> str:
        """Return a text of other people as a block."""

    def items(self, entries: Sequence[str]) -> str:
        """Return formatted entries as a list."""

    def note(self, text: str) -> str:
        """Return a remark as a block."""


class _Markdown:
    def heading(self, text: str) -> str:
        return f"# {self.code(text)}"

    def title(self, name: str, details: str) -> str:
        return f"**{self.code(name)}** ({self.text(details)})"

    def text(self, text: str) -> str:
        return escape_line(text, starts_line=False)

    def code(self, text: str) -> str:
        return code_span(_name(text))

    def link(self, text: str, url: str | None) -> str:
        code = self.code(text)
        return f"[{code}](<{url}>)" if url and is_shown_url(url) else code

    def quote(self, text: str, is_markdown: bool) -> str:
        text = _cut(text)
        rendered = safe_markdown(text) if is_markdown else escape_text(text)
        return "\n".join(quote(rendered.split("\n")))

    def items(self, entries: Sequence[str]) -> str:
        return "\n".join(f"- {entry}" for entry in entries)

    def note(self, text: str) -> str:
        return escape_line(text)


class _Plain:
    def heading(self, text: str) -> str:
        return _name(text)

    def title(self, name: str, details: str) -> str:
        return f"{_name(name)} ({details})"

    def text(self, text: str) -> str:
        return text

    def code(self, text: str) -> str:
        return _name(text)

    def link(self, text: str, url: str | None) -> str:
        return self.code(text)

    def quote(self, text: str, is_markdown: bool) -> str:
        lines = _cut(text).expandtabs(4).splitlines()
        return "\n".join(f"    {escape_unsafe(line)}".rstrip() for line in lines)

    def items(self, entries: Sequence[str]) -> str:
        return "\n".join(f"- {entry}" for entry in entries)

    def note(self, text: str) -> str:
        return text


def _name(text: str) -> str:
    return one_line(text) or "(no name)"


def _cut(text: str) -> str:
    limit = MAX_MARKDOWN_LENGTH
    return text if len(text) <= limit else f"{text[:limit]}…"


MARKDOWN: Markup = _Markdown()
PLAIN: Markup = _Plain()
