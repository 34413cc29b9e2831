"""A Flyte deployment as a backend, through its RunService.

backend, session    the EventBackend, and the objects behind it, which the first request loads
endpoint, proxy     where the deployment is, and the proxy through which it is reached
rpc                 calls: transports, TLS, retries, error translation, conversion of messages
read, watch, write  what requests do with events and runs
"""

from flyte_sidecar.backends.flyte.backend import FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import proxy_for

__all__ = ["Deployment", "FlyteBackend", "proxy_for", "split_endpoint"]
