"""When modules are imported, because imports are most of the time of a start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run
from tests.e2e.conftest import Spawn
from tests.e2e.process import kind, request

not_under_coverage = pytest.mark.skipif(
    "coverage" in sys.modules, reason="coverage imports modules in every process"
)

HEAVY = {
    "certifi",
    "cryptography",
    "filelock",
    "flyteidl2",
    "google.protobuf",
    "grpc",
    "httpcore",
    "keyring",
    "lsprotocol",
    "oauthlib",
    "psutil",
    "pygls",
    "synchronicity",
    "attrs",
    "tree_sitter",
    "cattrs",
    "jsonschema",
}

UNUSED = {
    "bz2",
    "configparser",
    "getpass",
    "lzma",
    "shutil",
    "termios",
    "typing_extensions",
    "yaml",
}
"""Light modules that no read needs, and that take milliseconds together."""

FOR_OTHERS = {
    "click",
    "difflib",
    "markdown_it",
    "prompt_toolkit",
    "rich",
    "rich_click",
    "flyte_sidecar.backends.flyte",
    "flyte_sidecar.backends.merged",
    "flyte_sidecar.local_runs",
    "flyte_sidecar.lsp",
    "flyte_sidecar.server.serve",
}
"""What verbs need only elsewhere: on a deployment, or for what they do not show."""

REPORT_MODULES = """
import atexit, json, sys
path = sys.argv.pop(1)
atexit.register(lambda: open(path, "w").write(json.dumps(sorted(sys.modules))))
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


@not_under_coverage
def test_importing_the_command_loads_nothing_heavy() -> None:
    script = "import json, sys, flyte_sidecar.cli.main; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert (
        loaded & (HEAVY | {"asyncio", "sqlite3", "ssl", "socket", "flyte_sidecar.event"}) == set()
    )


def test_serving_a_first_request_loads_nothing_heavy(spawn: Spawn, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    sidecar = spawn(command=[sys.executable, "-c", REPORT_MODULES, str(modules)])
    sidecar.request(0, "initialize", capabilities={})
    sidecar.request(1, "events.get", runName="r", name="n")
    assert {kind(sidecar.answer()) for _ in range(2)} == {"result"}
    sidecar.end_input()
    assert sidecar.status() == 0
    needless = UNUSED | {
        "flyte_sidecar.event",
        "flyte_sidecar.backends.local.processes",
        "flyte_sidecar.backends.merged",
        "flyte_sidecar.local_runs",
        "flyte_sidecar.server.watches",
        "flyte_sidecar.events.coalescing",
        "flyte_sidecar.events.watch_feed",
    }
    loaded = set(json.loads(modules.read_text()))
    assert loaded & (HEAVY | needless) == set()
    assert [name for name in loaded if "cli.verbs." in name] == ["flyte_sidecar.cli.verbs.serve"]


@not_under_coverage
@pytest.mark.parametrize("verb", ["pending", "list r", "signal r n yes", "wait r n"])
def test_a_verb_on_the_embedded_store_loads_nothing_heavy(
    verb: str, command: dict[str, str], tmp_path: Path
) -> None:
    create = ("call", "events.create", '{"runName": "r", "name": "n"}')
    assert run("flyte-sidecar", *create, env=command).returncode == 0
    if verb == "wait r n":
        assert run("flyte-sidecar", "signal", "r", "n", "yes", env=command).returncode == 0
    modules = tmp_path / "modules"
    arguments = ("-c", REPORT_MODULES, modules, *verb.split())
    done = run(sys.executable, *arguments, env=command)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(modules.read_text()))
    own = {f"flyte_sidecar.cli.verbs.{verb.split()[0]}"}
    assert {name for name in loaded if name.startswith("flyte_sidecar.cli.verbs.")} == own
    assert loaded & (HEAVY | FOR_OTHERS) == set()


def test_the_first_request_is_answered_before_a_second_is_needed(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(request(1, "initialize", processId=None, capabilities={}))
    assert sidecar.answer()["result"]["serverInfo"]["name"] == "flyte-sidecar"
