"""`flyte-sidecar schema`: print or write the schemas of the wire contract."""

from __future__ import annotations

import sys
from pathlib import Path

from flyte_sidecar.schema import DERIVED, files, write
from flyte_sidecar.server.settings import Options


def schema(options: Options, out: str | None) -> int:
    """Print the OpenRPC document, or write all files into a folder; return the exit status."""
    if out is None:
        sys.stdout.buffer.write(files()[DERIVED])
    else:
        write(Path(out), files())
    return 0
