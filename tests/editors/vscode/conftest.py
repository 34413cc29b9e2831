"""Fixtures with VS Code in Chromium, and the extension in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Request, expect, sync_playwright

from tests import npm
from tests.conftest import ROOT, TEST_TIMEOUT, needs, skip_or_fail
from tests.editors.vscode.install import InstallationError, install
from tests.editors.vscode.server import CodeServer, Installation, install_extension
from tests.editors.vscode.workbench import Workbench
from tests.lsp.e2e.conftest import Environment, project, start_process, start_run, user

__all__ = ["project", "start_process", "start_run", "user"]

EXTENSION = ROOT / "clients" / "vscode"
NODE = (20,)

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
LOCAL_FILES = ".vscode-resource.vscode-cdn.net"
"""The domain of local files in VS Code, which a service worker of the page serves."""

OpenWindow = Callable[..., Workbench]


@pytest.fixture(scope="package")
def installation() -> Installation:
    try:
        return install()
    except InstallationError as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = needs("chromium")
    expect.set_options(timeout=TEST_TIMEOUT * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def vsix(testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged extension."""
    needs("node", NODE)
    npm.build(EXTENSION, "package", testrun_uid, tmp_path_factory)
    return EXTENSION / "dist" / "flyte-sidecar.vsix"


@pytest.fixture(scope="package")
def extensions(
    installation: Installation, vsix: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of extensions in which this one is installed."""
    folder = tmp_path_factory.mktemp("extensions")
    install_extension(installation, vsix, folder)
    return folder


@pytest.fixture
def server(
    installation: Installation, extensions: Path, user: Environment, tmp_path: Path
) -> Iterator[CodeServer]:
    """VS Code of the user, which starts with its first window."""
    folder = tmp_path / "code-server"
    with closing(
        CodeServer(installation, extensions, folder, user | {"LOGNAME": "operator"})
    ) as new:
        yield new


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new profile of the browser, which asserts that VS Code requests nothing from elsewhere."""
    hosts: set[str | None] = set()

    def record(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and not address.netloc.endswith(LOCAL_FILES):
            hosts.add(address.hostname)

    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(TEST_TIMEOUT * 1000)
        context.on("request", record)
        yield context
    assert hosts <= {"127.0.0.1"}


@pytest.fixture
def open_window(server: CodeServer, context: BrowserContext, project: Path) -> OpenWindow:
    """Open windows with the folder of the example. The first may set settings and variables."""

    def open_window(settings: dict[str, Any] | None = None, **env: str) -> Workbench:
        if not server.running:
            server.start(settings or {}, env)
        return Workbench(context.new_page(), server.url(project))

    return open_window
