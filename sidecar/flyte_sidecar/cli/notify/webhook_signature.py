"""Signatures of webhooks, by the specification of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from flyte_sidecar.cli.arguments.values import UsageError

SECRET_VARIABLE = "FLYTE_SIDECAR_WEBHOOK_SECRET"  # noqa: S105  its name
"""The environment variable with the secret."""

PREFIX = "whsec_"

MIN_BYTES, MAX_BYTES = 24, 64
"""The sizes of secrets that the specification allows."""

MAX_FILE_BYTES = 4096


class SigningKey:
    """A secret that the sender and the receiver of webhooks share."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Return the headers that identify and sign a message.

        Parameters
        ----------
        timestamp
            When this attempt to send it was made, as a Unix time in seconds.
        """
        signed = f"{message_id}.{timestamp}.".encode() + body
        digest = hmac.digest(self._key, signed, hashlib.sha256)
        return {
            **unsigned_headers(message_id, timestamp),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def unsigned_headers(message_id: str, timestamp: int) -> dict[str, str]:
    """Return the headers that only identify a message."""
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}


def load_key(file: str | None) -> SigningKey | None:
    """Return the key in a file, or else in the environment; None if there is none.

    Raises
    ------
    UsageError
        If it is invalid, or the file cannot be read. The message does not repeat the secret.
    """
    if file is None:
        value = os.environ.get(SECRET_VARIABLE, "")
        return _decode(value, SECRET_VARIABLE) if value else None
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError(f"--webhook-secret-file: {file}: {error.strerror}") from None
    return _decode(content.decode(errors="replace"), file)


def _decode(value: str, source: str) -> SigningKey:
    text = value.strip().removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), validate=True)
        if MIN_BYTES <= len(key) <= MAX_BYTES:
            return SigningKey(key)
    except (binascii.Error, UnicodeEncodeError):
        pass
    raise UsageError(
        f"{source} must contain {PREFIX} and {MIN_BYTES} to {MAX_BYTES} bytes as base64;"
        f' create a secret with: echo "{PREFIX}$(openssl rand -base64 32)"'
    )
