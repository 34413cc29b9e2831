"""Strings that name an event, also while they are typed."""

from __future__ import annotations

import pytest

from flyte_sidecar.lsp.source.parser import ParsedSource, SourceFile
from flyte_sidecar.lsp.source.text import SourceText


def parse(code: str) -> ParsedSource:
    return SourceFile(SourceText(code)).snapshot().parse()


def at_cursor(code: str) -> tuple[str | None, str] | None:
    """Return the name and the text of the reference at the `|` in the code."""
    before, after = code.split("|")
    found = parse(before + after).reference_at(len(before.encode()))
    if found is None:
        return None
    return found.name, (before + after).encode()[found.span.start : found.span.end].decode()


@pytest.mark.parametrize(
    "code",
    [
        "from flyte.remote import Condition\nCondition.get('app', run_name='r')",
        "from flyte.remote import Event\nEvent.get('app', 'r')",
        "from flyte.remote import Condition as C\nawait C.get.aio('app', 'r')",
        "from flyte import remote\nremote.Condition.get('app', 'r')",
        "import flyte\nflyte.remote.Condition.get(name='app', run_name='r')",
        "import flyte.remote as r\nr.Event.get('app', 'r')",
        "from flyte_sidecar import Event\nEvent.get('app', 'r')",
        "import flyte_sidecar\nflyte_sidecar.Event.get.aio('app', 'r').signal(True)",
        "import flyte_sidecar as fs\nfs.event.Event.get(\n    # comment\n    'app',\n)",
        "import flyte_sidecar\nawait client.request('events.get', runName='r', name='app')",
        "import flyte_sidecar\nself.client.request('events.signal', name='app', value=True)",
        'import flyte_sidecar\nc.request(\n    "events.wait", name="app"\n)',
        "import flyte_sidecar\nc.request('events.abort', name='app')",
    ],
)
def test_a_name_in_a_lookup_is_found(code: str) -> None:
    [reference] = parse(code).references
    assert reference.name == "app"
    assert code[reference.span.start : reference.span.end] == "app"


@pytest.mark.parametrize(
    "code",
    [
        "from other import Event\nimport flyte\nEvent.get('app')",
        "import flyte\nclass Event: ...\nEvent.get('app')",
        "import flyte\ndef f(Event):\n    Event.get('app')",
        "import flyte\nEvent.get('app')",
        "import flyte\n{}.get('app')\noptions.get('app')",
        "from flyte.remote import Event\nEvent.get(name)",
        "from flyte.remote import Event\nEvent.get(*['app'])",
        "from flyte.remote import Event\nEvent.listall('app')",
        "from flyte.remote import Event\n# Event.get('app')\nx = \"Event.get('app')\"",
        "import flyte\nc.request('runs.list', name='app')",
        "import flyte\nrequests.request('GET', name='app')",
        "import flyte\nc.request('events.get', runName='app')",
    ],
)
def test_other_strings_are_no_references(code: str) -> None:
    assert parse(code).references == ()


def test_an_f_string_is_a_reference_whose_name_may_not_be_certain() -> None:
    found = parse("""\
from flyte.remote import Event
NAME = "app"
Event.get(f"{NAME}-1")
Event.get(f"{name}-1")
""").references
    assert [reference.name for reference in found] == ["app-1", None]


EVENT = "from flyte_sidecar import Event\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"{EVENT}Event.get('app|')", ("app", "app")),
        (f"{EVENT}Event.get('|app')", ("app", "app")),
        (f"{EVENT}Event.get('ap|p', run_name='r')", ("app", "app")),
        (f"{EVENT}Event.get('|')", ("", "")),
        (f"{EVENT}Event.get(|'app')", None),
        (f"{EVENT}Event.get('app'|)", None),
        (f"{EVENT}Event.get('app|", ("app", "app")),
        (f"{EVENT}Event.get('é|", ("é", "é")),
        (f'{EVENT}Event.get("|', ("", "")),
        (f"{EVENT}Event.get('app|\nother('b')\n", ("app", "app")),
        (f"{EVENT}Event.get('ap|p'\nother('b')\n", ("app", "app")),
        (f"{EVENT}Event.get('app|\n    'x'", ("app", "app")),
        (f'{EVENT}def f():\n    await Event.get.aio(\n        name="app|\n\nx = 1', ("app", "app")),
        (f"{EVENT}def f():\n    return Event.get('app|\n\ndef g(): pass\n", ("app", "app")),
        (f"{EVENT}def f(Event):\n    return Event.get('app|\n", None),
        (f"{EVENT}# Event.get('app|\n", None),
        (f"{EVENT}options.get('app|\n", None),
        (f"{EVENT}Event.get('app') + other('x|\n", None),
        (f"{EVENT}c.request('events.get', runName='r', name='app|\n", ("app", "app")),
        (f"{EVENT}c.request('events.get', runName='app|\n", None),
        (f"{EVENT}# c.request('events.get', name='app|\n", None),
        ("options.get('app|')", None),
    ],
)
def test_the_reference_at_the_cursor_is_found(
    code: str, expected: tuple[str | None, str] | None
) -> None:
    assert at_cursor(code) == expected
