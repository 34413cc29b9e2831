"""Logins that a deployment requires, as a person in front of VS Code sees them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.backends.flyte.auth.conftest import ca_file, certificate, provider, running_provider
from tests.backends.flyte.auth.connection import Person, Rejected
from tests.backends.flyte.conftest import ca
from tests.editors.vscode.conftest import OpenWindow
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.npm import BUILD_SECONDS
from tests.oidc_provider.provider import Provider, public_client

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

__all__ = ["ca", "ca_file", "certificate", "provider", "running_provider"]


@pytest.fixture
def deployment(certificate: tuple[bytes, bytes], provider: Provider) -> Iterator[Server]:
    """A deployment that requires a login, with a run that waits."""
    with Server(Model("2.0.43"), tls=certificate) as server:
        server.auth.tokens = Rejected()
        server.auth.client = public_client()
        server.auth.metadata = provider.metadata()
        server.model.ask("nightly", "deploy", action="a1", project="p", domain="d")
        yield server


def test_a_login_is_cancelled_and_another_one_finished(
    open_window: OpenWindow, deployment: Server, ca_file: str, tmp_path: Path
) -> None:
    command = tmp_path / "sidecar-of-deployment"
    options = ["--backend", "flyte", "--endpoint", deployment.endpoint, "--ca-cert-file", ca_file]
    options += ["--project", "p", "--domain", "d"]
    command.write_text(f'#!/bin/sh\nexec flyte-sidecar {shlex.join(options)} "$@"\n')
    command.chmod(0o755)
    window = open_window(FLYTE_SIDECAR=str(command))
    window.show_events()
    login = window.notification("Waiting for the Flyte login")
    login.get_by_role("button", name="Cancel").click()
    expect(login).to_be_hidden()
    window.event("Retry").click()
    link = login.get_by_role("link", name="open link")
    expect(link).to_be_visible()
    url = link.get_attribute("href")
    assert url is not None
    Person(ca_file).logs_in(url)
    expect(window.event("deploy of run nightly")).to_be_visible()
    expect(login).to_be_hidden()
