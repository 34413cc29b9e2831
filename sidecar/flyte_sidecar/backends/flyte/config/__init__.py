"""How a Flyte user's machine is configured: files, environment variables, options.

The result is the same as in the Flyte SDK; `docs/deployments.md` lists the differences.

    load              the deployment; options precede the environment, which precedes the file
    load_credentials  how its requests are authenticated
    credential_rules  which credentials may be used for which endpoint
    keys, values      the keys, the variables for each, and how their values are read
    sources           the value of a key, from the environment or the file
    search            where a config file is looked for
    config_file       one YAML file, with line numbers
    api_key           FLYTE_API_KEY and the keys of task pods
    errors            ConfigError, NoEndpoint

Only the Flyte backend imports this package.
"""

from flyte_sidecar.backends.flyte.config.errors import ConfigError, NoEndpoint
from flyte_sidecar.backends.flyte.config.load import Config, Overrides, load
from flyte_sidecar.backends.flyte.config.sources import Setting

__all__ = ["Config", "ConfigError", "NoEndpoint", "Overrides", "Setting", "load"]
