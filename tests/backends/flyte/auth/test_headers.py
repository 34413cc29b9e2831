"""Headers that authenticate requests."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.auth.headers import bearer, parse_headers
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

SOURCE = "FLYTE_SIDECAR_AUTH_HEADERS"


@pytest.mark.parametrize(
    "text",
    [
        '{"Authorization": "Bearer a:b", "x-org": "o"}',
        ' \n {"authorization": "Bearer a:b", "X-Org": "o"}\n',
        "Authorization: Bearer a:b\nx-org: o",
        "\r\nauthorization:Bearer a:b\r\n\r\nX-Org:  o \r\n",
    ],
)
def test_headers_are_an_object_or_lines(text: str) -> None:
    expected = (("authorization", "Bearer a:b"), ("x-org", "o"))
    assert parse_headers(text, SOURCE).headers.reveal() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "{}",
        "{",
        '{"a": 1}',
        '{"a": null}',
        '["a: b"]',
        "s3cret",
        "a: s3cret\ns3cret",
        ": s3cret",
        "a b: s3cret",
        "a-bin: s3cret",
        "grpc-timeout: s3cret",
        ":path: s3cret",
        '{"a": "s3cret\\n"}',
        '{"a": "s3cret\\u00e9"}',
        '{"a": "s3cret\\ud800"}',
        "a: s3cr\u00e9t",
        '{"a": "s3cret',
    ],
)
def test_invalid_headers_are_an_error_without_their_values(text: str) -> None:
    with pytest.raises(RpcError) as caught:
        parse_headers(text, SOURCE)
    assert caught.value.status == "UNAUTHENTICATED"
    assert caught.value.message.startswith(SOURCE)
    assert "s3cr" not in caught.value.message


@pytest.mark.parametrize("token", ["", "two words", "two\nlines", "t\u00f6ken", "a\r\nb: c", "\0"])
def test_a_token_that_no_header_can_contain_is_an_error_without_it(token: str) -> None:
    with pytest.raises(RpcError) as caught:
        bearer("authorization", token, "the login")
    assert caught.value.message.startswith("the token from the login ")
    assert not token or token not in caught.value.message


@given(st.text())
@example("a:\x7f")
def test_any_text_is_either_headers_that_can_be_sent_or_an_error(text: str) -> None:
    for written in (text, json.dumps({text: text}), f"{text}: {text}"):
        try:
            headers = parse_headers(written, SOURCE).headers.reveal()
        except RpcError:
            continue
        for name, value in headers:
            assert name
            assert all("!" <= letter <= "~" and letter not in ':"(),/' for letter in name)
            assert all(" " <= letter <= "~" for letter in value)
            assert name == name.lower()


def test_headers_are_hidden_in_representations() -> None:
    assert "s3cret" not in repr(parse_headers("a: s3cret", SOURCE))
