"""Logins as the clients of a sidecar process see them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import keyring
import pytest

from flyte_sidecar.rpc.task_runner import MAX_UNFINISHED
from flyte_sidecar.server.client_prompt import SHOW_MESSAGE
from tests.backends.flyte.auth.conftest import stored_tokens
from tests.backends.flyte.auth.connection import Person, Rejected
from tests.conftest import TEST_TIMEOUT
from tests.docs.conversations import connections, play
from tests.e2e.process import COMMAND, Process, by_id, kind, request
from tests.fake_runservice.server import Server
from tests.oidc_provider import person as person_program
from tests.oidc_provider.provider import Provider

Start = Callable[..., Process]

[DOCUMENTED] = connections("docs/protocol/logins.md")


@pytest.fixture
def options(deployment: Server, ca_file: str, home: Path) -> list[str]:
    deployment.model.ask("r1", "deploy", action="a1", project="p", domain="d")
    return [
        *("--backend", "flyte", "--endpoint", deployment.endpoint, "--ca-cert-file", ca_file),
        *("--project", "p", "--domain", "d"),
    ]


@pytest.fixture
def by_link(deployment: Server, provider: Provider) -> None:
    """Logins by a link and without a code."""
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")


@pytest.fixture
def start(options: list[str], tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        started.append(Process(tmp_path / "store", *arguments, backend_options=options))
        return started[-1]

    yield start
    for process in started:
        process.clear()


def login_of(sidecar: Process) -> dict[str, Any]:
    """Return the params of the notification of a login."""
    required = sidecar.answer()
    assert required["method"] == "sidecar.authRequired"
    login: dict[str, Any] = required["params"]
    assert login["url"] in login["message"]
    return login


ROTATED = {"access_token": "new-access", "refresh_token": "new-refresh"}


class SlowProvider:
    """Rotates a login once, over plain HTTP, after the test allows it.

    Attributes
    ----------
    asked, proceed
        Set when the request has arrived, and by the test.
    """

    def __init__(self) -> None:
        self.asked, self.proceed = threading.Event(), threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                provider.asked.set()
                assert provider.proceed.wait(TEST_TIMEOUT)
                body = json.dumps(ROTATED).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.handle_request)
        self._thread.start()

    def close(self) -> None:
        self.proceed.set()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def slow_provider(
    deployment: Server, provider: Provider, rejected: Rejected, home: Path
) -> Iterator[SlowProvider]:
    slow = SlowProvider()
    deployment.auth.metadata = provider.metadata(token_endpoint=slow.url)
    outdated = {"access_token": "old-access", "refresh_token": "old-refresh"}
    rejected.add(outdated["access_token"])
    keyring.set_password(deployment.endpoint, "tokens", json.dumps(outdated))
    yield slow
    slow.close()


def test_a_rotated_login_is_stored_although_the_client_is_gone(
    start: Start, deployment: Server, slow_provider: SlowProvider
) -> None:
    sidecar = start()
    sidecar.request(1, "events.pending")
    assert slow_provider.asked.wait(TEST_TIMEOUT)
    sidecar.end_input()
    sidecar.stop_reading()
    with suppress(subprocess.TimeoutExpired):
        sidecar.popen.wait(0.5)  # it has not waited if it ends before the response
    slow_provider.proceed.set()
    assert sidecar.status() == 0
    assert stored_tokens(deployment) == ROTATED


def test_a_request_waits_for_the_login_that_its_client_shows(start: Start, person: Person) -> None:
    sidecar = start()
    sidecar.request(1, "events.get", runName="r1", name="deploy")
    sidecar.request(2, "events.pending")
    login = login_of(sidecar)
    assert login["userCode"] in login["message"]
    person.logs_in(login["url"])
    ended, *answers = sidecar.answers(3)
    params = {"url": login["url"], "error": None}
    assert ended == {"jsonrpc": "2.0", "method": "sidecar.authEnded", "params": params}
    assert {kind(answer) for answer in answers} == {"result"}
    assert sidecar.call("events.signal", runName="r1", name="deploy", payload=True)["payload"]
    sidecar.end_input()
    assert sidecar.status() == 0
    assert login["userCode"] in sidecar.stderr_text()


@pytest.mark.usefixtures("by_link")
def test_a_denied_login_fails_the_request_and_is_reported(start: Start, person: Person) -> None:
    sidecar = start()
    sidecar.request(1, "events.pending")
    person.denies(login_of(sidecar)["url"])
    ended, answer = sidecar.answers(2)
    assert "denied" in ended["params"]["error"]
    assert kind(answer) == "unauthenticated"
    assert "denied" in answer["error"]["message"]


@pytest.mark.usefixtures("by_link")
def test_a_client_that_has_initialized_gets_the_messages_of_lsp_too(start: Start) -> None:
    sidecar = start()
    sidecar.call("initialize", processId=None, capabilities={})
    sidecar.request(1, "events.pending")
    login = login_of(sidecar)
    shown = {"type": 3, "message": login["message"]}
    assert sidecar.answer()["params"] == shown
    sidecar.request(2, "sidecar.cancelLogin", url=login["url"])
    received = sidecar.answers(4)
    [ended] = [each["params"] for each in received if each.get("method") == "sidecar.authEnded"]
    [failed] = [each["params"] for each in received if each.get("method") == "window/showMessage"]
    assert failed == {"type": 1, "message": ended["error"]}


@pytest.mark.usefixtures("by_link")
def test_a_client_that_cancels_and_retries_shows_one_login(start: Start, person: Person) -> None:
    sidecar = start()
    sidecar.request(1, "events.pending")
    login = login_of(sidecar)
    sidecar.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})
    assert kind(sidecar.answer()) == "request_cancelled"
    sidecar.request(2, "events.pending")
    person.logs_in(login["url"])
    ended, answer = sidecar.answers(2)
    assert ended["params"] == {"url": login["url"], "error": None}
    assert kind(answer) == "result"
    assert sidecar.call("sidecar.cancelLogin", url=login["url"]) is None  # it is not shown any more


@pytest.mark.usefixtures("by_link")
def test_a_login_that_the_client_cancels_fails_its_requests_and_is_not_shown_again(
    start: Start, deployment: Server
) -> None:
    sidecar = start()
    sidecar.request(1, "events.pending")
    url = login_of(sidecar)["url"]
    sidecar.request(2, "sidecar.cancelLogin", url=f"{url}0")
    assert sidecar.answer() == {"jsonrpc": "2.0", "id": 2, "result": None}
    sidecar.request(3, "sidecar.cancelLogin", url=url)
    sidecar.request(4, "sidecar.cancelLogin", url=url)
    received = sidecar.answers(4)
    [ended] = [each["params"] for each in received if each.get("method") == "sidecar.authEnded"]
    error = "the login was cancelled: run `flyte-sidecar login` to log in"
    assert ended == {"url": url, "error": error}
    answers = [each for each in received if "id" in each]
    assert by_id(answers) == {1: "unauthenticated", 3: "result", 4: "result"}
    sidecar.request(5, "events.pending")
    assert kind(answer := sidecar.answer()) == "unauthenticated"
    assert "the login was cancelled" in answer["error"]["message"]
    keyring.set_password(deployment.endpoint, "tokens", json.dumps(ROTATED))  # as others do
    assert sidecar.call("events.pending")["events"] != []


def test_the_documented_login_is_what_a_sidecar_sends(start: Start, deployment: Server) -> None:
    assert DOCUMENTED.deployment == "login"
    play(DOCUMENTED, start(), {"flyte.example.com:443": deployment.endpoint})


@pytest.mark.posix
@pytest.mark.usefixtures("by_link")
def test_the_end_of_the_client_ends_the_login(start: Start) -> None:
    sidecar = start()
    sidecar.request(1, "events.pending")
    login = login_of(sidecar)
    sidecar.popen.terminate()
    received = sidecar.read_all()
    [ended] = [each["params"] for each in received if each.get("method") == "sidecar.authEnded"]
    assert ended["url"] == login["url"]
    assert ended["error"]


@pytest.mark.usefixtures("by_link")
def test_what_follows_many_requests_is_read_while_they_wait_for_a_login(start: Start) -> None:
    sidecar = start()
    ids = range(MAX_UNFINISHED + 50)
    sidecar.send(*(request(number, "events.pending") for number in ids))
    login_of(sidecar)
    sidecar.send(request("end", "shutdown"), {"jsonrpc": "2.0", "method": "exit"})
    received = sidecar.read_all()
    assert sidecar.status() == 0
    expected = {**dict.fromkeys(ids, "shutting_down"), "end": "result"}
    assert by_id(answer for answer in received if "id" in answer) == expected
    assert [answer.get("method") for answer in received].count("sidecar.authEnded") == 1


@pytest.mark.usefixtures("by_link")
def test_the_status_starts_no_login(start: Start) -> None:
    assert start().call("sidecar.status")["backend"]["healthy"] is False


@pytest.mark.posix
def test_a_browser_that_prints_to_its_stdout_does_not_disturb_the_protocol(
    start: Start, ca_file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    program = f'{sys.executable} {person_program.__file__} {ca_file} "$1"'
    browser.write_text(f'#!/bin/sh\necho "a page"\nexec {program}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    sidecar = start()
    sidecar.request(1, "events.pending")
    login_of(sidecar)
    ended, answer = sidecar.answers(2)
    assert ended["params"]["error"] is None
    assert [event["name"] for event in answer["result"]["events"]] == ["deploy"]


@pytest.mark.usefixtures("by_link")
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ([*COMMAND, "call", "events.pending"], '"name": "deploy"'),
        ([*COMMAND, "pending"], "deploy"),
        ([sys.executable, "-c", "PYTHON"], "deploy"),
    ],
    ids=["call", "pending", "python"],
)
def test_a_terminal_shows_the_login_on_stderr(
    command: list[str], expected: str, options: list[str], person: Person
) -> None:
    if command[-1] == "PYTHON":
        arguments = dict(zip(options[::2], options[1::2], strict=True))
        members = {name[2:].replace("-", "_"): value for name, value in arguments.items()}
        command[-1] = (
            "from flyte_sidecar import Event, init\n"
            f"init(**{members!r})\n"
            "print(Event.get('deploy', 'r1').name)\n"
        )
    else:
        command = [*command, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = next(line for line in process.stderr if "https://" in line)
        [url] = [word.strip(".,") for word in line.split() if word.startswith("https://")]
        person.logs_in(url)
        assert expected in process.stdout.read()
        assert process.wait() == 0


@pytest.mark.usefixtures("by_link")
def test_an_editor_shows_the_login(start: Start, person: Person) -> None:
    sidecar = start()
    sidecar.request(0, "initialize", capabilities={"textDocument": {"codeLens": {}}})
    assert "codeLensProvider" in sidecar.answer()["result"]["capabilities"]
    sidecar.send({"jsonrpc": "2.0", "method": "initialized", "params": {}})
    received = [sidecar.answer()]
    while received[-1].get("method") != "window/showMessage":
        received.append(sidecar.answer())
    url = re.search(r"open (\S+)", received[-1]["params"]["message"])
    assert url is not None
    sidecar.request(1, "events.pending")
    person.logs_in(url[1])
    while received[-1].get("id") != 1:
        received.append(sidecar.answer())
    assert "result" in received[-1]
    assert "sidecar.auth" not in json.dumps(received)


def test_a_plugin_shows_the_login_and_asks_for_another_after_it_was_cancelled(
    start: Start, person: Person
) -> None:
    sidecar = start()
    received: list[Any] = []

    def until(method: str) -> Any:
        """Return the params of the next notification of a method."""
        while received.append(sidecar.answer()) or received[-1].get("method") != method:
            pass
        return received[-1]["params"]

    def cancel_login() -> str:
        url: str = until("sidecar.authRequired")["url"]
        sidecar.request(1, "sidecar.cancelLogin", url=url)
        ended = until("sidecar.authEnded")
        assert ended["url"] == url
        assert ended["error"] is not None
        return url

    def select(project: str) -> None:
        params = {"settings": {"flyteSidecar": {"project": project}}}
        method = "workspace/didChangeConfiguration"
        sidecar.send({"jsonrpc": "2.0", "method": method, "params": params})

    capabilities = {
        "textDocument": {"codeLens": {}},
        "experimental": {"flyteSidecar": {"logins": True}},
    }
    sidecar.request(0, "initialize", capabilities=capabilities)
    sidecar.send({"jsonrpc": "2.0", "method": "initialized", "params": {}})
    first = cancel_login()
    sidecar.request(1, "workspace/executeCommand", command="flyteSidecar.refresh")
    assert cancel_login() != first
    select("other")
    cancel_login()
    select("p")  # the project it was started with
    url = until("sidecar.authRequired")["url"]
    person.logs_in(url)
    assert until("sidecar.authEnded") == {"url": url, "error": None}
    shown = {each["params"]["message"] for each in received if each.get("method") == SHOW_MESSAGE}
    assert not [message for message in shown if message.startswith(("To log in", "the login"))]
