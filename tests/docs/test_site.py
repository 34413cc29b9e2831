"""The documentation site: `make docs` builds it without a warning, and it needs no other host."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from docs_site import pages
from tests.conftest import ROOT, TEST_TIMEOUT, needs, worker_lock
from tests.docs import blocks
from tests.docs.blocks import claim
from tests.docs.links import Page

DIAGRAMS = {
    path: len(claim(path, "mermaid"))
    for path in sorted({block.page for block in blocks.all_blocks() if block.language == "mermaid"})
}
pytestmark = pytest.mark.posix

ADDRESS = "https://flyte-sidecar.github.io/flyte-sidecar/"


@pytest.fixture(scope="module")
def site(testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site. A warning, such as one about a link, fails the build."""
    needs("npm")
    folder = ROOT / "build" / "site"
    with worker_lock("site", tmp_path_factory) as shared:
        built = shared / f"site-{testrun_uid}"
        if not built.exists():
            command = [sys.executable, "-m", "docs_site"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            built.touch()
    return folder


@pytest.fixture(scope="module")
def built(site: Path) -> dict[str, Page]:
    """The pages of the site, by their address."""
    files = [path for path in site.rglob("*.html") if path.name != "404.html"]
    return {
        urljoin(ADDRESS, path.relative_to(site).as_posix().removesuffix("index.html")): Page(
            path.read_text("utf-8")
        )
        for path in files
    }


def test_the_site_has_every_page(built: dict[str, Page]) -> None:
    places = {place.removesuffix(".md").removesuffix("index") for place in pages.sources()}
    assert {urljoin(ADDRESS, f"{place}/" if place else "") for place in places} == {*built}


def test_the_navigation_leads_to_every_page(built: dict[str, Page]) -> None:
    navigation = (ROOT / "zensical.toml").read_text("utf-8").partition("nav = [")[2]
    assert {*re.findall(r'"([\w/.-]+\.md)"', navigation)} == {*pages.sources()}


def test_every_link_and_anchor_of_the_site_exists(built: dict[str, Page], site: Path) -> None:
    for address, page in built.items():
        for link in page.links:
            target, _, anchor = urljoin(address, link).partition("#")
            if target in built:
                assert not anchor or anchor in built[target].anchors, f"{address}: {link}"
            elif target.startswith(ADDRESS):
                assert (site / target.removeprefix(ADDRESS)).is_file(), f"{address}: {link}"


def test_no_page_refers_to_a_file_of_another_host(built: dict[str, Page], site: Path) -> None:
    for address, page in built.items():
        for link in page.loads:
            target = urljoin(address, link)
            assert target.startswith(ADDRESS), f"{address}: {link}"
            assert (site / urlsplit(target.removeprefix(ADDRESS)).path).exists(), link


@pytest.fixture
def server(site: Path) -> Iterator[str]:
    """The address of a server of the site."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_diagrams_search_and_copying_work_without_another_host(server: str) -> None:
    chromium = needs("chromium")
    hosts: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(TEST_TIMEOUT * 1000)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        for path, count in DIAGRAMS.items():
            place = path.removeprefix("docs/").removesuffix(".md").removesuffix("index")
            page.goto(urljoin(server, place))
            page.wait_for_function(
                "count => document.querySelectorAll('div.mermaid').length === count"
                " && !document.querySelector('pre.mermaid')",
                arg=count,
            )
        page.keyboard.press("Control+k")
        page.keyboard.type("webhook")
        page.get_by_text("Webhooks", exact=False).first.wait_for()
        page.goto(urljoin(server, "getting-started"))
        example = page.locator(".highlight", has_text="$ flyte-sidecar create")
        example.locator(".md-code__button").click()
        page.get_by_text("Copied to clipboard").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        browser.close()
    assert copied == "flyte-sidecar create r1 deploy --prompt 'Deploy the model?'"
    assert hosts == {urlsplit(server).netloc}
