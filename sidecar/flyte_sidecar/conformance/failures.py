"""Why a check does not pass."""


class Violation(Exception):
    """The server breaks the rule of a check. The message says what was expected, and what came."""


class Warn(Exception):
    """The server follows the rule, but in a way that makes trouble for clients."""


class Skip(Exception):
    """The check cannot be made with this server."""
