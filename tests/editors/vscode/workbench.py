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

    def run(self, command: str) -> None:
        """Run a command of the palette, by the keyboard alone."""
        self.keyboard.press("F1")
        box = self.quick_input.get_by_role("textbox")
        expect(box).to_have_value(">")
        self.keyboard.type(command)
        option = self.quick_input.get_by_role("option").first
        expect(option).to_have_attribute("aria-label", re.compile(f"^{re.escape(command)}"))
        self.keyboard.press("Enter")

    def open_file(self, name: str) -> Locator:
        """Open a file of the folder, and return its editor."""
        self.page.get_by_role("treeitem", name=name).dblclick()
        return self.editor(name)

    def editor(self, name: str) -> Locator:
        return self.page.locator(f'.editor-instance[aria-label*="{name}"]')

    def view(self, title: str) -> Locator:
        """Return the tree of a view."""
        return self.page.get_by_role("tree", name=title)
