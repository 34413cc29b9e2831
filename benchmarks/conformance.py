"""`python -m benchmarks.conformance`: check other servers, and write docs/conformance.md.

The list of checks there is generated too. With `--list`, only that is written. gopls, and `go`
for jrpc2, are taken from PATH; what is not installed is left out of the table.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from msgspec import Struct

from benchmarks.peers import HERE, VSCODE, NotInstalled, installed_vscode
from flyte_sidecar._version import VERSION
from flyte_sidecar.conformance.check import Result
from flyte_sidecar.conformance.checks import CHECKS, GROUPS
from flyte_sidecar.conformance.run import Run
from flyte_sidecar.conformance.target import Call, Framing, Target

PAGE = HERE.parent.parent / "docs" / "conformance.md"
EXPLANATIONS = json.loads((HERE / "conformance.json").read_text())
"""Why each server fails: by its name, and then by check or group of checks."""

ECHO, SLOW = Call("echo", "{}"), Call("slow", "{}")

TIMEOUT = 5.0
"""Seconds that a response may take."""


class Server(Struct, frozen=True):
    """A server to check.

    Attributes
    ----------
    for_lsp
        Whether it, or its library, is made for language servers: rules that do not apply to those
        are not checked.
    """

    name: str
    version: str
    target: Target
    for_lsp: bool = False


def servers(folder: Path) -> Iterator[Server]:
    """Yield the servers that are installed."""
    sidecar = (sys.executable, "-m", "flyte_sidecar", "--store", "{folder}/events.db")
    call, invalid = Call("sidecar.status", "{}"), Call("events.get", '{"runName":1}')
    slow = Call("events.wait", '{"runName":"r","name":"n","awaitCreation":true}')
    for framing in ("line", "header"):
        found = _target(sidecar, framing, call=call, invalid=invalid, slow=slow)
        yield Server(f"flyte-sidecar, {framing}s", VERSION, found)
    if gopls := shutil.which("gopls"):
        printed = subprocess.run([gopls, "version"], capture_output=True, text=True).stdout
        version = re.search(r"v(\d+(?:\.\d+)+)", printed)
        target = _target((gopls,), "header", is_lsp=True)
        yield Server("gopls", version[1] if version else "", target, for_lsp=True)
    command = (sys.executable, str(HERE / "pygls_conformance.py"))
    target = _target(command, "header", call=ECHO, slow=SLOW)
    yield Server("pygls", importlib.metadata.version("pygls"), target, for_lsp=True)
    try:
        node = installed_vscode()
    except NotInstalled as missing:
        print(missing, file=sys.stderr)
    else:
        package = json.loads((VSCODE / "node_modules/vscode-jsonrpc/package.json").read_text())
        target = _target((node, str(VSCODE / "conformance.mjs")), "header", call=ECHO, slow=SLOW)
        yield Server("vscode-jsonrpc", package["version"], target, for_lsp=True)
    if go := shutil.which("go"):
        built = folder / "jrpc2"
        subprocess.run([go, "build", "-o", built, "."], cwd=HERE / "jrpc2", check=True)
        version = re.search(r"jrpc2 v(\S+)", (HERE / "jrpc2" / "go.mod").read_text())
        invalid = Call("echo", '{"a":"b"}')
        for framing in ("line", "header"):
            command = (str(built), framing)
            target = _target(command, framing, call=ECHO, slow=SLOW, invalid=invalid)
            yield Server(f"jrpc2, {framing}s", version[1] if version else "", target)


def _target(command: Sequence[str], framing: Framing, **more: object) -> Target:
    return Target(command=command, framing=framing, timeout=TIMEOUT, settle_time=0.5, **more)


def check(server: Server) -> list[Result]:
    """Run all checks that apply to a server."""
    checks = [one for one in CHECKS if not (server.for_lsp and one.not_in_lsp)]
    return [*Run(server.target).results(checks)]


def results_table(found: Sequence[tuple[Server, list[Result]]]) -> str:
    """Return the summary, and what each server fails."""
    day = date.today().isoformat()
    lines = [
        f"Checked on {day} with flyte-sidecar {VERSION}.\n",
        "| server | version | passed | must failed | should failed | warnings | not checked |",
        "|---|---|---|---|---|---|---|",
    ]
    for server, results in found:
        counts = Counter(_column(result) for result in results)
        rest = len([c for c in CHECKS if c.framing in (None, server.target.framing)]) - sum(
            counts[name] for name in ("pass", "must", "should", "warn")
        )
        cells = [counts[name] for name in ("pass", "must", "should", "warn")]
        row = " | ".join(map(str, [server.name, server.version, *cells, rest]))
        lines.append(f"| {row} |")
    for server, results in found:
        name = server.name.partition(",")[0]
        failures = [result for result in results if result.outcome in ("fail", "warn")]
        if failures:
            lines += [f"\n#### {server.name}\n"]
            lines += [_failure(result, EXPLANATIONS.get(name, {})) for result in failures]
    return "\n".join(lines)


def _column(result: Result) -> str:
    return result.level if result.outcome == "fail" else result.outcome


def _failure(result: Result, explanations: dict[str, str]) -> str:
    reason = explanations.get(result.check)
    shown = reason or result.detail.replace("|", "\\|")
    detail = shown if reason else f"`{shown[:160]}`"
    level = "warning" if result.outcome == "warn" else result.level
    return f"- `{result.check}` ({level}; {result.source}): {detail}"


def list_of_checks() -> str:
    """Return the tables of all checks."""
    lines = []
    for group in GROUPS:
        lines += [f"\n### {group.name}\n", "| check | level | rule | source |", "|---|---|---|---|"]
        lines += [
            f"| `{one.id.partition('/')[2]}` | {one.level} | {one.title} | {one.source} |"
            for one in group.checks
        ]
    return "\n".join(lines).lstrip("\n")


def replaced(page: str, name: str, content: str) -> str:
    """Return a page with new content between the markers of a part."""
    begin, end = f"<!-- {name} begin -->\n", f"<!-- {name} end -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"the page has no markers of {name}"
    return f"{before}{begin}\n{content}\n\n{end}{after}"


def main() -> None:
    page = replaced(PAGE.read_text(), "checks", list_of_checks())
    if "--list" not in sys.argv:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as pool:
            chosen = [*servers(Path(folder))]
            found = [*zip(chosen, pool.map(check, chosen), strict=True)]
        page = replaced(page, "results", results_table(found))
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
