"""A Flyte deployment, through its RunService.

endpoint, proxy   its address and options, and the HTTP proxy
address           how hosts and ports are written
credentials       how requests are authenticated
config            the config files and environment variables of Flyte's users
names             which names and texts the deployment can store
backend           the EventBackend; imports the rest when it is first used
session           one session: connects the parts below
timing            intervals, timeouts and rates
auth              logins: the headers that authenticate requests, and their renewal
cache             newest state of each event; drops stale updates, notifies subscribers
rpc               calls: transport, retries, error translation, conversion of messages
read              events, actions, pages, runs
write             signals and aborts
watch             informers and inboxes, for waits and watches
"""

from flyte_sidecar.backends.flyte.auth.interactive.prompt import (
    LoginPrompt,
    LoginRequest,
    without_login,
)
from flyte_sidecar.backends.flyte.backend import FlyteBackend
from flyte_sidecar.backends.flyte.config import Config, NoEndpoint, Overrides, load
from flyte_sidecar.backends.flyte.endpoint import Deployment

__all__ = [
    "Config",
    "Deployment",
    "FlyteBackend",
    "LoginPrompt",
    "LoginRequest",
    "NoEndpoint",
    "Overrides",
    "load",
    "without_login",
]
