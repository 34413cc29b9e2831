"""One request without a client: `flyte-sidecar call METHOD [JSON]`."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from codecs import BOM_UTF8

from msgspec import DecodeError, Raw, json

from flyte_sidecar.cli import standard_streams, terminal
from flyte_sidecar.cli.arguments.values import text
from flyte_sidecar.cli.in_process_client import Response, fail, in_process_client
from flyte_sidecar.errors import ParseError
from flyte_sidecar.server.settings import Options


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands."""
    parser.add_argument("method", metavar="METHOD", type=text, help="for example events.list")
    parser.add_argument(
        "params",
        metavar="JSON",
        nargs="?",
        type=text,
        help="params of the request; - reads them from stdin (default: no params)",
    )


def run(options: Options, method: str, params: str | None) -> int:
    """Send one request, print its result, and return the exit status.

    Raises
    ------
    ParseError
        If the params are not JSON.
    """
    standard_streams.require_stdout()
    given = standard_streams.read_stdin() if params == "-" else (params or "null").encode()
    given = given.removeprefix(BOM_UTF8)
    try:
        given.decode()
        json.decode(given, type=Raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"the params are not JSON: {error}") from None
    response = asyncio.run(_respond(options, method, Raw(given)))
    if response.error is not None:
        return fail(response.error)
    result = json.format(terminal.sanitize_json(bytes(response.result)), indent=2)
    sys.stdout.buffer.write(result + b"\n")
    return 0


async def _respond(options: Options, method: str, params: Raw) -> Response:
    async with in_process_client(options) as client:
        client.request(method, params)
        while not isinstance(message := await client.receive(), Response):
            pass  # a watch also sends notifications
        return message
