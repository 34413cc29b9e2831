"""A Flyte deployment, by its RunService.

endpoint proxy                where it is, and what is on the way
backend                       the EventBackend; loads the rest when it is first used
connected                     the rest, put together:
reading writing pages runs    what is asked for and done once
informers following inbox     what is followed: waits and watches, by runs or all together
subscribers stream streams       who hears of a run, and what tells of it
listing snapshot standing     what the deployment tells of many actions
memory cursors                what is remembered, within bounds
client failures limits        the calls, what they fail with, and how much they may return
conversion words idl          their messages
transport grpc_transport tls  the way there
"""

from flyte_sidecar.backends.flyte.backend import FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import proxy_for

__all__ = ["Deployment", "FlyteBackend", "proxy_for", "split_endpoint"]
