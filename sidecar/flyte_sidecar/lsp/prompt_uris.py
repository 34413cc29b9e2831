"""The URIs of the read-only documents that show the prompt of an event."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from msgspec import DecodeError, json

from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp.capabilities import CONTENT_SCHEME
from flyte_sidecar.lsp.event_arguments import EventArgument, event_argument


def prompt_uri(event: Event, backend: str) -> str:
    """Return the URI of an event's document. Editors show the last part of its path as a title."""
    path = "/".join(quote(part, safe="") for part in (event.run_name, f"{event.name}.md"))
    query = quote(json.encode(event_argument(event, backend)), safe="")
    return f"{CONTENT_SCHEME}:/{path}?{query}"


def parse_prompt_uri(uri: str) -> EventArgument | None:
    """Return the event of a URI, None if it is not the URI of an event's document."""
    try:
        parts = urlsplit(uri)
        event = json.decode(unquote(parts.query), type=EventArgument)
    except (DecodeError, ValueError):
        return None
    return event if parts.scheme == CONTENT_SCHEME else None
