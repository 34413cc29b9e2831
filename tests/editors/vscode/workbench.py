"""A window of VS Code, as the person in front of it sees and uses it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Error, Locator, Page, expect

from tests.conftest import TEST_TIMEOUT

ATTEMPT_TIMEOUT = 3000
"""Milliseconds after which something that VS Code may have changed meanwhile is tried again."""


class Workbench:
    """A window of VS Code in a page of the browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.keyboard = page.keyboard
        page.goto(url)
        expect(self.status_bar).to_be_visible()

    @property
    def status_bar(self) -> Locator:
        return self.page.get_by_role("status").filter(has=self.page.get_by_label("remote"))

    @property
    def quick_input(self) -> Locator:
        """The box in which commands, answers and reasons are typed."""
        return self.page.locator(".quick-input-widget:visible")

    @property
    def dialog(self) -> Locator:
        """A dialog that blocks the window."""
        return self.page.locator(".monaco-dialog-box")

    @property
    def notifications(self) -> Locator:
        return self.page.locator(".notifications-toasts").get_by_role("dialog")

    def notification(self, text: str) -> Locator:
        return self.notifications.filter(has_text=text)

    @property
    def events(self) -> Locator:
        """The tree of the view "Waiting Events"."""
        return self.page.get_by_role("tree", name="Waiting Events")

    def event(self, text: str) -> Locator:
        """Return the row of an event, a run or a group."""
        return self.events.get_by_role("treeitem", name=text)

    def act(self, event: str, action: str) -> None:
        """Click an action in the row of an event, which is shown while the mouse is over the row.

        Rows may move between the two.
        """
        row = self.event(event)

        def click() -> None:
            row.hover()
            row.get_by_role("button", name=action).click(timeout=ATTEMPT_TIMEOUT)

        _retry(click)

    @property
    def welcome(self) -> Locator:
        """What the view shows instead of events."""
        return self.page.get_by_role("region", name="Welcome")

    @property
    def badge(self) -> Locator:
        """The number beside the icon of the view."""
        return self.page.get_by_role("tab", name="Flyte").locator(".badge-content")

    @property
    def count(self) -> Locator:
        """The number of waiting events in the status bar."""
        return self.status_bar.get_by_role("button", name="for an answer")

    def show_events(self) -> None:
        """Open the view by the mouse."""
        self.page.get_by_role("tab", name="Flyte").click()

    def run(self, command: str) -> None:
        """Run a command of the palette by the keyboard.

        The palette does not list what extensions add while it is open.
        """
        option = self.quick_input.get_by_role("option").first
        label = re.compile(f"^{re.escape(command)}")

        def find() -> None:
            self.keyboard.press("F1")
            expect(self.quick_input.get_by_role("textbox")).to_have_value(">")
            self.keyboard.type(command)
            try:
                expect(option).to_have_attribute("aria-label", label, timeout=ATTEMPT_TIMEOUT)
            except AssertionError:
                self.keyboard.press("Escape")
                raise

        _retry(find)
        self.keyboard.press("Enter")

    def type(self, text: str) -> None:
        """Type a text into the box, by the keyboard.

        Wait until the view shows all changes before opening a box. When a view that had the focus
        is refreshed, VS Code 1.139 focuses it again, even if a box was opened just before. The box
        then closes, as any box that loses the focus.
        """
        box = self.quick_input.get_by_role("textbox")
        expect(box).to_be_focused()
        box.press("Control+a")
        self.keyboard.type(text)

    def open_file(self, name: str) -> Locator:
        """Open a file of the folder, and return its editor."""
        self.page.get_by_role("treeitem", name=name).dblclick()
        return self.editor(name)

    def editor(self, name: str) -> Locator:
        return self.page.locator(f'.editor-instance[aria-label*="{name}"]')

    @property
    def lenses(self) -> Locator:
        return self.page.locator(".codelens-decoration")

    def lens(self, title: str) -> Locator:
        """Return a lens; before it can be clicked, it is no button."""
        return self.lenses.get_by_role("button", name=title, exact=True)

    @property
    def terminal(self) -> Locator:
        """The rows of the terminal that is shown."""
        return self.page.locator(".terminal-wrapper.active .xterm-rows")

    @property
    def document(self) -> Locator:
        """The document of an event that is shown."""
        shown = self.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")
        return shown.locator(".markdown-body")


def _retry(attempt: Callable[[], None]) -> None:
    """Repeat what fails, until it does not or the test takes too long."""
    deadline = time.monotonic() + TEST_TIMEOUT
    while True:
        try:
            return attempt()
        except (AssertionError, Error):
            if time.monotonic() > deadline:
                raise
