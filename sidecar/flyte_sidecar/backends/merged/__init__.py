"""The embedded store and a Flyte deployment as one EventBackend.

backend         routes what names a run, and merges the rest
listing         pages that merge the listings of both
patient_reads   reads that go on after the request that started them has timed out
watch           watches that merge the watches of both
timing          timeouts and delays
"""

from flyte_sidecar.backends.merged.backend import MergedBackend

__all__ = ["MergedBackend"]
