"""A Flyte deployment, through its RunService.

endpoint, proxy   its address and options, and the HTTP proxy
backend           the EventBackend; imports the rest when it is first used
session           one session: connects the parts below
timing            intervals, timeouts and rates
cache             newest state of each event; drops stale updates, notifies subscribers
rpc               calls: transport, retries, error translation, conversion of messages
read              events, actions, pages, runs
write             signals and aborts
watch             informers and inboxes, for waits and watches
"""

from flyte_sidecar.backends.flyte.backend import FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import proxy_for

__all__ = ["Deployment", "FlyteBackend", "proxy_for", "split_endpoint"]
