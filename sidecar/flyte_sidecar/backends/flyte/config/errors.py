"""The error for a config that cannot be used."""

from __future__ import annotations


class ConfigError(ValueError):
    """A config is missing or invalid.

    The message names the file, the line and the key, or the environment variable. It repeats no
    value, because values can be secrets.
    """


class NoEndpoint(ConfigError):
    """No option, variable or file contains an endpoint: no deployment is configured."""
