"""The pictures of the extension's page. `pytest tests/editors/vscode/pictures.py` takes them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.editors.vscode.conftest import EXTENSION, OpenWindow
from tests.editors.vscode.workbench import Workbench
from tests.lsp.e2e.conftest import StartRun

IMAGES = EXTENSION / "images"
THEMES = {"light": "Default Light Modern", "dark": "Default Dark Modern"}


@pytest.mark.parametrize("theme", THEMES)
def test_runs_wait(theme: str, open_window: OpenWindow, start_run: StartRun) -> None:
    start_run("weekly", name="traffic", expectedType="float", prompt="Which share of the traffic?")
    window = _open(open_window, theme)
    window.show_events()
    expect(window.event("traffic of run weekly")).to_be_visible()
    start_run(timeoutSeconds=3600)
    expect(window.notification("nightly asks")).to_be_visible()
    expect(window.lens("Approve")).to_be_visible()
    window.event("deploy of run nightly").hover()
    window.page.screenshot(path=IMAGES / f"waiting-{theme}.png")
    if theme == "light":
        _crop(window, window.editor("workflow.py"), "lens", height=300)


def test_an_answer_is_typed(open_window: OpenWindow, start_run: StartRun) -> None:
    start_run("weekly", name="traffic", expectedType="float", prompt="Which share of the traffic?")
    window = _open(open_window, "light")
    window.show_events()
    window.act("traffic of run weekly", "Answer")
    window.type("many")
    expect(window.quick_input).to_contain_text("expects a number")
    _crop(window, window.page.locator("body"), "answer", height=200)


def _open(open_window: OpenWindow, theme: str) -> Workbench:
    window = open_window({"workbench.colorTheme": THEMES[theme], "editor.minimap.enabled": False})
    window.open_file("workflow.py")
    expect(window.lens("Run Locally…")).to_be_visible()
    return window


def _crop(window: Workbench, part: Locator, name: str, *, height: int) -> None:
    """Take a picture of the upper part of an element, in pixels."""
    box = part.bounding_box()
    assert box is not None
    clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": height}
    window.page.screenshot(path=IMAGES / f"{name}.png", clip=clip)
