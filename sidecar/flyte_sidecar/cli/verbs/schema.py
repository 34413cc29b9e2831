"""`flyte-sidecar schema`: print or write the schemas of the wire contract."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from flyte_sidecar.cli.arguments.values import path
from flyte_sidecar.schema import DERIVED, files, write
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=path,
        help="write the OpenRPC document, the JSON Schema and the method table into this folder",
    )


def run(options: Options, out: str | None) -> int:
    """Print the OpenRPC document, or write all files into a folder; return the exit status."""
    if out is None:
        sys.stdout.buffer.write(files()[DERIVED])
    else:
        write(Path(out), files())
    return 0
