"""What a check finds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warning", "failed", "skipped"]


class Finding(Struct, frozen=True):
    """One line of the report.

    The texts may contain text of others; they are sanitized when they are printed.

    Attributes
    ----------
    name
        What was checked.
    status
        `warning`: it works, but probably not as intended. `skipped`: it could not be checked, or
        does not apply.
    detail
        What was found.
    advice
        What to do next, as a sentence without its period; None if nothing is to be done.
    """

    name: str
    status: Status
    detail: str
    advice: str | None = None


def ok(name: str, detail: str, advice: str | None = None) -> Finding:
    """Return a finding that is as it should be; the advice is only a hint then."""
    return Finding(name, "ok", detail, advice)


def warning(name: str, detail: str, advice: str) -> Finding:
    """Return a finding that is probably not intended."""
    return Finding(name, "warning", detail, advice)


def failed(name: str, detail: str, advice: str) -> Finding:
    """Return a finding that prevents the use of the backend."""
    return Finding(name, "failed", detail, advice)


def skipped(name: str, detail: str, advice: str | None = None) -> Finding:
    """Return that something was not checked, and why."""
    return Finding(name, "skipped", detail, advice)
