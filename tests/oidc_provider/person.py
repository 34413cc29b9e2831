"""A person who logs in: follows redirects and submits the provider's forms.

As a program, it is the browser of a test: `person.py CA_FILE URL [abort]`.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPSHandler, ProxyHandler, build_opener

MAX_FORMS = 10

ACCOUNT = {"login": "user", "password": "any"}
"""What is typed into the fields of that name."""


class _Page(HTMLParser):
    """Finds the first form of a page, and the link that aborts a login."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.abort: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.action = values["action"]
        elif tag == "input" and (name := values.get("name")):
            self.fields[name] = values.get("value") or ACCOUNT.get(name, "")
        elif tag == "a" and (link := values.get("href") or "").endswith("/abort"):
            self.abort = link


def visit(ca_file: str, url: str, *, abort: bool = False) -> tuple[int, str]:
    """Open a URL, submit forms until there is none, and return the last status and page.

    With `abort`, deny the login instead.
    """
    opener = build_opener(
        ProxyHandler({}),
        HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
        HTTPCookieProcessor(CookieJar()),
    )
    data: bytes | None = None
    aborted = False
    for _ in range(MAX_FORMS):
        try:
            response = opener.open(url, data, timeout=60)
        except HTTPError as error:
            response = error
        with response:
            text = response.read().decode()
            url = response.url
        page = _Page(text)
        if aborted:
            return response.status, text
        if abort and page.abort:
            aborted, url, data = True, urljoin(url, page.abort), None
        elif page.action:
            if abort and "confirm" in page.fields:
                aborted, page.fields["abort"] = True, "yes"
            url, data = urljoin(url, page.action), urlencode(page.fields).encode()
        else:
            return response.status, text
    raise AssertionError("the provider shows too many forms")


if __name__ == "__main__":
    visit(sys.argv[1], sys.argv[2], abort="abort" in sys.argv[3:])
