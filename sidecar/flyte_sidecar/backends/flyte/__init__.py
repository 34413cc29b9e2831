"""A Flyte deployment, through its RunService.

endpoint, proxy   its address, and the proxy on the way there
backend           the EventBackend; imports the rest when it is first used
session           one connection: assembles the rest
timing            intervals, timeouts and rates
cache             the events that responses have shown; delivers changes to subscribers
rpc               calls: transports, retries, error translation, conversion
read              single events, listings, pages, runs
write             signals and aborts
watch             informers and inboxes: the runs that are waited for or watched
"""

from flyte_sidecar.backends.flyte.backend import FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import proxy_for

__all__ = ["Deployment", "FlyteBackend", "proxy_for", "split_endpoint"]
