"""A window of VS Code, as the person in front of it sees and uses it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


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
        """Run a command of the palette by the keyboard."""
        self.keyboard.press("F1")
        expect(self.quick_input.get_by_role("textbox")).to_have_value(">")
        self.keyboard.type(command)
        option = self.quick_input.get_by_role("option").first
        expect(option).to_have_attribute("aria-label", re.compile(f"^{re.escape(command)}"))
        self.keyboard.press("Enter")

    def type(self, text: str) -> None:
        """Type a text into the box, by the keyboard."""
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
