"""Untrusted text in messages and in markdown."""

from __future__ import annotations

import re
from html import unescape
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.lsp.safe_markdown import MAX_MARKDOWN_LENGTH, safe_markdown
from flyte_sidecar.lsp.sanitize import escape_line, escape_text

GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""What an editor may use: with HTML, which is not to be found in what it is sent."""

PIECES = [
    *(
        "a",
        "b1",
        "2",
        " ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n\n",
        "  \n",
        "\\",
        "\u202e",
        "\0",
        "é",
        "x_y",
    ),
    *(
        "*",
        "**",
        "_",
        "__",
        "~~",
        "`",
        "``",
        "```",
        "~~~",
        "#",
        "## ",
        "> ",
        "- ",
        "+ ",
        "1. ",
        "2) ",
    ),
    *(
        "[",
        "]",
        "(",
        ")",
        "](",
        "![",
        "<",
        ">",
        "<b>",
        "</b>",
        "<!--",
        "-->",
        "<x@y.z>",
        "&",
        "&lt;",
    ),
    *(
        "&#42;",
        "|",
        "|-|",
        "---",
        "===",
        "***",
        ":-",
        "[a]: b\n",
        "[a]",
        "'",
        '"',
        "\u2028",
        "$",
        "=",
    ),
]
URLS = [
    *("https://h.example/p_q", "http://h", "command:x", "javascript:x", "vscode://x", "//h"),
    *("data:image/png;base64,x", "<https://h>", "<command:x>", "](command:x)", "](https://h)"),
    *("](<java\nscript:x>)", "www.h.example", "HTTPS://H/", "file:///etc"),
]
markdown = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)
with_urls = st.lists(st.sampled_from([*PIECES, *URLS]) | st.text(max_size=3), max_size=25).map(
    "".join
)


def spans(text: str) -> list[Token]:
    """Return all tokens of markdown."""
    tokens = GFM.parse(text)
    return [*tokens, *(span for token in tokens for span in token.children or ())]


def shown(text: str, parser: MarkdownIt = GFM) -> str:
    """Return the letters and digits that markdown shows."""
    tokens = parser.parse(text)
    found = [token.content for token in tokens if token.type in ("fence", "code_block")]
    children = [span for token in tokens for span in token.children or ()]
    while children:
        span = children.pop(0)
        found.append(span.content if span.type != "image" else "")
        children[:0] = span.children or ()
    return "".join(sorted(re.findall(r"[^\W_]", unescape("".join(found)))))


def is_visible(character: str) -> bool:
    return category(character)[0] in "LMNPS" or category(character) == "Zs"


def assert_harmless(text: str) -> None:
    for token in spans(text):
        assert token.type not in ("html_block", "html_inline", "image")
        if token.type == "link_open":
            assert re.match("https?://", str(token.attrs["href"]), re.IGNORECASE)
            assert token.info == "auto"  # so its text is its target
    assert all(c in "\n\u200c\u200d" or is_visible(c) for c in text)


@given(with_urls)
@example("[a](command:x)")
@example("![a](https://h/x.png)")
@example("<script>alert(1)</script>")
@example("[a]: javascript:x\n[a]")
@example("| a |\n|-|\n| <b> |")
@example("`` <b> ``")
@example("\\<b>")
@example("- <b>\n\n      <b>")
def test_markdown_contains_no_html_no_image_and_only_links_that_show_their_target(
    text: str,
) -> None:
    assert_harmless(safe_markdown(text))


@given(markdown.filter(lambda text: ":" not in text))
@example("1. a\n   - b\n\n         c\n2. d")
@example("a\n# b #\n***c***d")
@example("> a\nb\n\n```x\nc")
@example("|a|\n|-|\n|`x\\|y`|")
def test_no_text_of_markdown_is_lost(text: str) -> None:
    before = shown(
        text, MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    )
    escapes = re.compile(r"\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\U[0-9a-f]{8}")
    after = shown(safe_markdown(text))
    images = 5 * text.count("![")
    assert len(after) >= len(before)
    for letter in set(before):
        assert after.count(letter) >= before.count(letter), (letter, safe_markdown(text))
    if not escapes.search(safe_markdown(text)) and not images:
        assert after == before


@given(with_urls)
@example("a\n===")
@example("```")
@example("- a\n- b")
@example("<b>")
@example("a | b\n--|--")
def test_plain_text_is_shown_unchanged_as_markdown(text: str) -> None:
    escaped = escape_text(text)
    assert_harmless(escaped)
    blocks = {token.type for token in GFM.parse(escaped)}
    assert blocks <= {"paragraph_open", "inline", "paragraph_close"}
    if all(c.isprintable() or c in " \t\r\n" for c in text):
        found = ["".join(span.content for span in line) for line in _lines(escaped)]
        assert _not_blank(found) == _not_blank(text.splitlines())


def _not_blank(lines: list[str]) -> list[str]:
    """Return the lines without spaces; lines that are not empty then."""
    return [found for line in lines if (found := re.sub(r"\s", "", line))]


def _lines(text: str) -> list[list[Token]]:
    lines: list[list[Token]] = [[]] if text else []
    for token in GFM.parse(text):
        for span in token.children or ():
            if span.type in ("hardbreak", "softbreak"):
                lines.append([])
            else:
                lines[-1].append(span)
    return lines


@given(with_urls)
def test_markdown_stays_inside_of_a_quote(text: str) -> None:
    quoted = "\n".join(f"> {line}" for line in safe_markdown(text).split("\n"))
    levels = [token.level for token in GFM.parse(f"{quoted}\n\nafter") if token.level == 0]
    outer = [token for token in GFM.parse(f"{quoted}\n\nafter") if token.level == 0]
    assert [token.type for token in outer] == [
        *("blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close"),
    ], levels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Deploy **now**?", "# Deploy **now**?"),
        ("Deploy\nit\n===", "# Deploy it"),
        ("## C \\#", "## C \\#"),
        ("````\n```\n````", "````\n```\n````"),
        ("a\tb", "a   b"),
        ("* a\n* b", "- a\n- b"),
        ("3) a\n4) b", "3. a\n4. b"),
        ("> a\nb", "> a\n> b"),
        ("> a  \nb\n> - c\\\n>   d", "> a  \n> b\n>\n> - c  \n>   d"),
        ("~~~py\nx = 1", "```py\nx = 1\n```"),
        ("a `b_c` d", "a `b_c` d"),
        ("| a | b |\n|:-|-:|\n| 1 | `2` |", "| a | b |\n|---|---|\n| 1 | `2` |"),
        ("***a***", "*__a__*"),
        ("a  \nb", "a  \nb"),
        ("[docs](https://d.example/x_y 'title')", "docs (<https://d.example/x_y>)"),
        ("[docs](command:run?x)", "docs"),
        ("![a plot](https://d.example/p.png)", "image: a plot (<https://d.example/p.png>)"),
        ("![a plot](file:///p.png)", "!\\[a plot](file:///p.png)"),
        ("https://d.example/a_b.", "<https://d.example/a_b>."),
        ("<b>a</b>", "\\<b>a\\</b>"),
        ("a\n\n---\n\nb", "a\n\n***\n\nb"),
        ("snake_case and C:\\folder", "snake_case and C:\\folder"),
        ("", ""),
    ],
)
def test_markdown_keeps_its_format_but_not_what_could_deceive(text: str, expected: str) -> None:
    assert safe_markdown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "> " * 3000 + "a",
        "*" * 3000 + "a" + "*" * 3000,
        "[" * 100_000,
        "![" * 100_000,
        "".join(" " * depth + "- a\n" for depth in range(300)),
        "a\n" * 50_000,
        "|a\n|-\n" + "|a\n" * 50_000,
        "`" * 50_000,
    ],
)
def test_markdown_that_is_costly_to_parse_is_limited(text: str) -> None:
    rendered = safe_markdown(text)
    assert len(rendered) <= 6 * MAX_MARKDOWN_LENGTH


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deploy", "deploy"),
        ("two\nlines\r\n\tindented", "two lines indented"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb\u200bc", "a\\u202eb\\u200bc"),
        ("[Approve](command:x)", "[Approve] (command:x)"),
        ("x" * 100, "x" * 79 + "…"),
        ("", ""),
    ],
)
def test_a_message_is_one_line_of_plain_text(text: str, expected: str) -> None:
    assert one_line(text) == expected


@given(st.text(max_size=200), st.integers(1, 50))
def test_a_line_is_never_longer_than_its_limit_and_has_no_unsafe_character(
    text: str, length: int
) -> None:
    line = one_line(text, length)
    assert len(line) <= length
    assert all(c in "\u200c\u200d" or is_visible(c) for c in line)
    assert "](" not in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a", "\\# a"),
        ("1. a", "1\\. a"),
        ("- a", "\\- a"),
        ("a - b # c", "a - b # c"),
        ("=", "\\="),
        (":-", "\\:-"),
        ("a | b", "a \\| b"),
        ("> a", "\\> a"),
        ("a * b", "a \\* b"),
        ("a_b _c_", "a_b \\_c\\_"),
        ("AT&T &amp;", "AT&T \\&amp;"),
        ("C:\\new \\* end\\", "C:\\new \\\\\\* end\\\\"),
        ("(https://h/x_y)", "(<https://h/x_y>)"),
    ],
)
def test_only_what_markdown_interprets_is_escaped(text: str, expected: str) -> None:
    assert escape_line(text) == expected
