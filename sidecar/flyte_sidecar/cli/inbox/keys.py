"""The keys of the full-screen mode. The names of keys are those of prompt_toolkit."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Page: TypeAlias = Literal["list", "prompt", "help"]

Action: TypeAlias = Literal[
    "up",
    "down",
    "page up",
    "page down",
    "start",
    "end",
    "open",
    "back",
    "yes",
    "no",
    "answer",
    "abort",
    "filter",
    "retry",
    "help",
    "quit",
]


class Key(Struct, frozen=True):
    """An action and its keys.

    Attributes
    ----------
    pages
        Where the keys have this action.
    names
        The keys as the help shows them.
    """

    action: Action
    keys: tuple[str, ...]
    pages: tuple[Page, ...]
    names: str
    help: str


_ALL: tuple[Page, ...] = ("list", "prompt", "help")
_EVENT: tuple[Page, ...] = ("list", "prompt")

KEYS = (
    Key("up", ("up", "k", "c-p"), _ALL, "Up, k", "move up"),
    Key("down", ("down", "j", "c-n"), _ALL, "Down, j", "move down"),
    Key("page up", ("pageup", "b", "c-b"), _ALL, "Page Up, b", "move up by a screen"),
    Key("page down", ("pagedown", " ", "c-f"), _ALL, "Page Down, Space", "move down by a screen"),
    Key("start", ("home", "g"), _ALL, "Home, g", "move to the start"),
    Key("end", ("end", "G"), _ALL, "End, G", "move to the end"),
    Key("open", ("enter",), ("list",), "Enter", "show the prompt and the details of the event"),
    Key("yes", ("y",), _EVENT, "y", "answer yes, if the event expects yes or no"),
    Key("no", ("n",), _EVENT, "n", "answer no"),
    Key("answer", ("a",), _EVENT, "a", "type an answer of any type"),
    Key("abort", ("x",), _EVENT, "x", "abort the event: its run gets no answer, and may fail"),
    Key("filter", ("/",), ("list",), "/", "show only the events that contain some words"),
    Key("retry", ("r",), ("list",), "r", "connect again now; log in again"),
    Key("help", ("?",), ("list", "prompt"), "?", "show this help"),
    Key("back", ("escape",), ("list",), "Esc", "show all events again"),
    Key("back", ("escape", "q", "enter"), ("prompt", "help"), "Esc, q, Enter", "go back"),
    Key("quit", ("q",), ("list",), "q, Ctrl-C", "quit"),
)

HINTS: dict[Page, tuple[str, ...]] = {
    "list": (
        *("No undo:", "y yes", "n no", "a answer", "x abort", "Enter open", "/ filter"),
        *("? help", "q quit"),
    ),
    "prompt": ("No undo:", "y yes", "n no", "a answer", "x abort", "? help", "Esc back"),
    "help": ("Up, Down move", "Esc back"),
}
"""The keys on the last line. On a narrow terminal, some before the last two are omitted."""
