"""Shows logins to a person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flyte_sidecar.events.plain_text import sanitize

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginRequest


class TerminalLoginPrompt:
    """A `LoginPrompt` of a verb: prints to stderr, whatever is logged and where."""

    def required(self, login: LoginRequest) -> None:
        print(sanitize(login.message), file=sys.stderr, flush=True)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        """Print nothing: the error of the request contains why the login failed."""
