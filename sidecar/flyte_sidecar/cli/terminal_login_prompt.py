"""Shows logins to a person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.plain_text import sanitize

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginRequest


class TerminalLoginPrompt(AttendedLogins):
    """A `LoginPrompt` of a verb: prints to stderr, whatever is logged and where.

    How a login has ended is not printed: the error of the request contains why it failed.
    """

    def required(self, login: LoginRequest) -> None:
        super().required(login)
        print(sanitize(login.message), file=sys.stderr, flush=True)
