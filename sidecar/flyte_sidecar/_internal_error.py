"""The response to an unexpected exception."""

from __future__ import annotations

import logging
from contextlib import suppress

from flyte_sidecar.errors import InternalError

logger = logging.getLogger(__name__)


def internal_error(error: BaseException) -> InternalError:
    """Log an unexpected exception, without the request's data, and return its response."""
    with suppress(Exception):  # nothing that logging does may prevent a response
        logger.error("internal error: %s", type(error).__name__)
        logger.debug("internal error", exc_info=error)
    return InternalError("internal error; the log has details at the level debug")
