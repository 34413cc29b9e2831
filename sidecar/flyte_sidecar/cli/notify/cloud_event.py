"""Notices as CloudEvents 1.0, in structured JSON."""

from __future__ import annotations

import platform
from datetime import datetime
from urllib.parse import quote

from msgspec import UNSET, Raw, Struct, UnsetType, json

from flyte_sidecar.cli.notify.notice import Notice
from flyte_sidecar.protocol.results import encode

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

TYPES = {
    "waiting": "flyte-sidecar.event.waiting",
    "missed": "flyte-sidecar.event.missed",
    "reminder": "flyte-sidecar.event.reminder",
}
"""The type of a CloudEvent for each reason of a notice."""


class CloudEvent(Struct, frozen=True, kw_only=True):
    """The members of a CloudEvent; `data` is an event as the protocol defines it."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime | UnsetType
    datacontenttype: str = "application/json"
    data: Raw


def cloud_event(notice: Notice) -> bytes:
    """Return a notice as a CloudEvent, encoded. It is the same for each attempt to deliver it."""
    event = notice.event
    at = None if notice.reason == "reminder" else event.created_at
    return json.encode(
        CloudEvent(
            id=notice.id,
            source=_source(notice.name[0]),
            type=TYPES[notice.reason],
            subject=f"{event.run_name}/{event.action_name}",
            time=at or UNSET,
            data=Raw(encode(event)),
        )
    )


def _source(backend: str) -> str:
    """Return a URI for a backend: a deployment, or the stores of this machine."""
    kind, _, address = backend.partition(":")
    if kind == "flyte":
        return f"flyte://{quote(address, safe=':[]')}"
    return f"flyte-sidecar://{quote(platform.node(), safe='')}"
