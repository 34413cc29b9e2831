"""The checks, one module for each group."""

from __future__ import annotations

from flyte_sidecar.conformance.check import Check, Group
from flyte_sidecar.conformance.checks.batches import BATCHES
from flyte_sidecar.conformance.checks.cancellation import CANCELLATION
from flyte_sidecar.conformance.checks.end_of_input import END
from flyte_sidecar.conformance.checks.headers import HEADERS
from flyte_sidecar.conformance.checks.ids import IDS
from flyte_sidecar.conformance.checks.limits import LIMITS
from flyte_sidecar.conformance.checks.lines import LINES
from flyte_sidecar.conformance.checks.lsp import LSP
from flyte_sidecar.conformance.checks.notifications import NOTIFICATIONS
from flyte_sidecar.conformance.checks.output import OUTPUT
from flyte_sidecar.conformance.checks.requests import REQUESTS
from flyte_sidecar.conformance.checks.stream import STREAM

GROUPS: tuple[Group, ...] = (
    *(REQUESTS, IDS, NOTIFICATIONS, BATCHES, STREAM, LINES, HEADERS),
    *(CANCELLATION, LIMITS, END, LSP, OUTPUT),
)
"""In the order in which they run."""

CHECKS: tuple[Check, ...] = tuple(check for group in GROUPS for check in group.checks)
