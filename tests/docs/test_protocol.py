"""The pages of the protocol and of the errors: what they show is what a real sidecar sends."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from msgspec import structs

from flyte_sidecar.errors import ERRORS
from flyte_sidecar.protocol.methods import METHODS, NOTIFICATIONS
from tests.conftest import ROOT, run
from tests.docs.blocks import claim
from tests.docs.conversations import Connection, connections, play
from tests.e2e.deployment import scoped_options
from tests.e2e.process import Process
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

DOCS = ROOT / "docs"
ERRORS_PAGE = (DOCS / "errors.md").read_text()
METHODS_PAGE = (DOCS / "protocol" / "methods.md").read_text()
PAGES = [DOCS / "protocol.md", DOCS / "errors.md", *sorted((DOCS / "protocol").glob("*.md"))]
CONNECTIONS = [
    pytest.param(connection, id=f"{page.relative_to(DOCS)}-{number}")
    for page in PAGES
    if page.name != "logins.md"  # needs an identity provider: tests/backends/flyte/auth
    for number, connection in enumerate(connections(page.relative_to(ROOT).as_posix()), 1)
]
[REJECTED] = claim("docs/errors.md", "console")
TARGET = "`runName`, `name`?, `parent`?, `actionName`?"
SHOWN_ENDPOINT = "flyte.example.com:443"


@pytest.fixture
def refusing() -> Iterator[Server]:
    """A deployment that refuses what it is asked, each kind of call for another reason."""
    with Server(Model("2.0.43")) as server:
        server.model.ask("r1", "deploy", action="a1", project="p", domain="d")
        server.faults.errors = {
            "ListRuns": (grpc.StatusCode.UNAUTHENTICATED, "the token has expired"),
            "SignalEvent": (grpc.StatusCode.PERMISSION_DENIED, "not a member of the project"),
            "AbortAction": (grpc.StatusCode.INTERNAL, "the database is damaged"),
        }
        yield server


@pytest.mark.posix
def test_the_command_prints_the_error_of_the_page(command: dict[str, str]) -> None:
    line, output = REJECTED.text.removeprefix("$ ").split("\n", 1)
    done = run("sh", "-c", line, env=command)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", output)


@pytest.mark.posix
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_a_conversation_is_what_a_real_sidecar_sends(
    connection: Connection, store: Path, request: pytest.FixtureRequest
) -> None:
    shown, backend_options = {}, None
    if connection.deployment is not None:
        endpoint = request.getfixturevalue(connection.deployment).endpoint
        shown, backend_options = {SHOWN_ENDPOINT: endpoint}, scoped_options(endpoint)
    sidecar = Process(store, *connection.options, backend_options=backend_options)
    try:
        play(connection, sidecar, shown)
        assert sidecar.stderr_text() == ""
    finally:
        sidecar.clear()


def test_every_kind_of_error_has_a_section_and_every_section_a_kind() -> None:
    assert sorted(re.findall(r"^### (\w+)$", ERRORS_PAGE, re.MULTILINE)) == sorted(
        error.kind for error in ERRORS
    )


def test_the_table_of_errors_has_the_code_and_the_outcome_of_each_kind() -> None:
    row = re.compile(r"^\| \[`(\w+)`\]\(#\1\) \| (\S+) \| (yes|no) \| (.+) \|$", re.MULTILINE)
    of_no_write = {
        "cursor_expired": "is for listings",
        "too_many_waits": "is for waits and watches",
    }
    assert row.findall(ERRORS_PAGE) == [
        (
            error.kind,
            str(error.code),
            "yes" if error.retryable else "no",
            "see `outcome`"
            if error.reports_outcome
            else of_no_write.get(error.kind, "did not happen"),
        )
        for error in ERRORS
    ]


def test_the_messages_of_the_errors_are_those_of_the_code() -> None:
    constants = [
        node.value
        for path in (ROOT / "sidecar").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    table = ERRORS_PAGE.partition("## Messages")[2]
    messages = re.findall(r"^\| `(.+?)` \| \[", table, re.MULTILINE)
    fragments = {fragment.strip() for message in messages for fragment in message.split("…")}
    code = "\0".join(constants)
    assert len(messages) > len(ERRORS)
    assert [fragment for fragment in fragments if fragment not in code] == []
    linked = set(re.findall(r"\(#(\w+)\)", table))
    assert linked == {error.kind for error in ERRORS}


def test_the_table_of_methods_has_the_params_of_each() -> None:
    rows = re.findall(r"^\| (\[`.*?) \|(.*?)\| .+ \|$", METHODS_PAGE, re.MULTILINE)
    shown = {
        name: re.findall(r"`(\w+)`(\??)", params.replace("*target*", TARGET))
        for names, params in rows
        for name in re.findall(r"\[`(.+?)`\]", names)
    }
    assert shown == {
        method.name: [
            (field.encode_name, "" if field.required else "?")
            for field in structs.fields(method.params)
            if field.name not in ("org", "project", "domain", "timeout_seconds")
        ]
        for method in METHODS
    }


def test_the_page_of_watches_and_that_of_logins_name_all_notifications() -> None:
    text = "".join(path.read_text() for path in (DOCS / "protocol").glob("*.md"))
    assert [row.name for row in NOTIFICATIONS if f"`{row.name}`" not in text] == []
