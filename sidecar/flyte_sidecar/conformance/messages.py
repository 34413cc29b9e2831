"""JSON texts, and the rules for the form of messages.

Python's parser is used because it is strict where it has to be, and keeps all digits of numbers.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
REQUEST_CANCELLED = -32800

Message = Any
"""A parsed JSON text; its numbers are Decimals."""


def parse(text: bytes) -> Message:
    """Parse a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8, or nested too deeply.
    """
    try:
        return json.loads(
            text.decode(), parse_int=Decimal, parse_float=Decimal, parse_constant=_reject
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _reject(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def compact(value: object) -> str:
    """Return a value as JSON on one line, in ASCII."""
    return json.dumps(value, separators=(",", ":"), default=_number)


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{value!r} is not JSON")


def request_text(method: str, params: str | None, request_id: str | None) -> bytes:
    """Return a request, or a notification.

    Parameters
    ----------
    params, request_id
        JSON texts; None: without this member.
    """
    members = ['"jsonrpc":"2.0"']
    if request_id is not None:
        members.append(f'"id":{request_id}')
    members.append(f'"method":{compact(method)}')
    if params is not None:
        members.append(f'"params":{params}')
    return f"{{{','.join(members)}}}".encode()


def same_id(one: object, other: object) -> bool:
    """Return whether two ids are the same: of one type, and numerically equal."""
    return type(one) is type(other) and one == other


def is_call(message: Message) -> bool:
    """Return whether it is a request or a notification."""
    return isinstance(message, dict) and "method" in message


def error_code(message: Message) -> object:
    """Return the code of an error response; None if it is none."""
    error = message.get("error") if isinstance(message, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def problem(message: Message) -> str | None:
    """Return what is wrong with the form of a message of a server; None: nothing."""
    if isinstance(message, list):
        found = ["an empty array"] if not message else map(_problem_of_entry, message)
        return next(filter(None, found), None)
    if is_call(message):
        return _problem_of_call(message)
    return _problem_of_entry(message)


def _problem_of_call(message: dict[str, Any]) -> str | None:
    if message.get("jsonrpc") != "2.0":
        return 'a message without "jsonrpc": "2.0"'
    if not isinstance(message["method"], str):
        return "a method that is not a string"
    if "params" in message and not isinstance(message["params"], list | dict):
        return "params that are neither an array nor an object"
    return None


def _problem_of_entry(message: Message) -> str | None:
    if not isinstance(message, dict):
        return "a message that is not an object"
    if message.get("jsonrpc") != "2.0":
        return 'a response without "jsonrpc": "2.0"'
    if "id" not in message:
        return "a response without id"
    if not isinstance(message["id"], str | Decimal | None):
        return "a response whose id is not a string, a number or null"
    if ("result" in message) == ("error" in message):
        return "a response with both result and error, or with neither"
    return None if "result" in message else _problem_of_error(message["error"])


def _problem_of_error(error: object) -> str | None:
    if not isinstance(error, dict):
        return "an error that is not an object"
    code = error.get("code")
    if not isinstance(code, Decimal) or code != code.to_integral_value():
        return "an error whose code is not an integer"
    if not isinstance(error.get("message"), str):
        return "an error whose message is not a string"
    return None
