"""A Flyte deployment, by its RunService.

endpoint                    where it is
backend                     the EventBackend; loads the rest when it is first used
connected                   the rest, put together:
reading pages waiting writing       what is done with events
listing snapshot memory     what the deployment tells, and what is known of it
client failures conversion  the calls, what they fail with, their messages
transport grpc_transport tls        the way there
"""

from sidecar.backends.flyte.backend import FlyteBackend
from sidecar.backends.flyte.endpoint import Deployment

__all__ = ["Deployment", "FlyteBackend"]
