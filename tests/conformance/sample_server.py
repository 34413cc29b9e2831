"""A small server that follows all rules, except one: `sample_server.py FRAMING [FAULT]`.

It imports little, because each test starts it twice.
"""

import json
import os
import stat
import sys
import time

FRAMING = sys.argv[1]
FAULT = sys.argv[2] if len(sys.argv) > 2 else ""

PARSE_ERROR, INVALID, NOT_FOUND, BAD_PARAMS = -32700, -32600, -32601, -32602
CANCELLED = -32800

NOTHING = object()
"""No response."""


def is_faulty(*names):
    return FAULT in names


def write(data):
    try:
        while data:
            data = data[os.write(1, data) :]
    except BlockingIOError:
        pass  # of the fault back-pressure
    except BrokenPipeError:
        if not is_faulty("closed-output"):
            os._exit(1)


def send(message):
    text = json.dumps(message).encode()
    write(
        text + b"\n" if FRAMING == "line" else b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
    )


def error(code, request_id=None):
    message = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": "failed"}}
    if is_faulty("form"):
        del message["jsonrpc"]
    return message


def result(value, request_id):
    if f"id={json.dumps(request_id)}" == FAULT:
        request_id = 1 if request_id == 1.5 else "other"
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


class Server:
    def __init__(self):
        self.waiting = []
        self.held = []  # of the fault waiting
        self.last = object()
        self.is_initialized = self.is_shut_down = False

    def text(self, text, many):
        """Handle a message, one of several that came together."""
        if is_faulty("pipelined", "answers") and len(many) > 40 and text is many[40]:
            return
        if is_faulty("member-order") and text[:9] == b'{"params"':
            return
        if is_faulty("white-space") and text[:1] == b" ":
            os._exit(1)
        if is_faulty("large-message") and len(text) > 1 << 20:
            return
        try:
            if is_faulty("byte-order-mark") and text[:1] == b"\xef":
                return
            decoded = text.decode(errors="replace" if is_faulty("invalid-utf-8") else "strict")
            message = json.loads(decoded, parse_int=integer)
        except RecursionError:
            if is_faulty("nesting" if b"]" in text else "unclosed"):
                os._exit(1)
            return self.respond(error(PARSE_ERROR))
        except ValueError:
            if is_faulty("parse-error", "two-in-a-line") or (
                is_faulty("not-json") and text[:1] == b"["
            ):
                return
            return self.respond(error(PARSE_ERROR))
        self.respond(self.batch(message) if isinstance(message, list) else self.one(message, text))

    def respond(self, response):
        if is_faulty("waiting") and self.waiting:
            self.held.append(response)
        elif response is not NOTHING:
            send(response)

    def batch(self, entries):
        if not entries:
            return [] if is_faulty("empty-batch") else error(INVALID)
        if is_faulty("large-batch") and len(entries) > 100:
            return error(INVALID)
        if (is_faulty("invalid-one") and entries == [1]) or (
            is_faulty("invalid") and entries == [1, 2, 3]
        ):
            return error(INVALID)
        responses = [self.entry(entry) for entry in entries]
        found = [response for response in responses if response is not NOTHING]
        if is_faulty("one") and len(found) == 1 and "result" in found[0]:
            return found[0]
        if is_faulty("requests") and any(one["id"] == 17 for one in found):
            found.pop()
        if is_faulty("mixed") and len(found) < len(entries) and found:
            found.append(error(INVALID))
        return found or ([] if is_faulty("notifications") else NOTHING)

    def entry(self, entry):
        if is_faulty("nested") and isinstance(entry, list):
            return NOTHING
        if is_faulty("invalid-between") and entry == {"foo": "boo"}:
            return NOTHING
        return self.one(entry, b"")

    def one(self, message, text):
        if not isinstance(message, dict):
            return NOTHING if is_faulty("not-an-object") else error(INVALID)
        if not message:
            return NOTHING if is_faulty("empty-object") else error(INVALID)
        if is_faulty("case"):
            message = {name.lower(): value for name, value in message.items()}
        method, request_id = message.get("method"), message.get("id", NOTHING)
        if "method" not in message and ("result" in message or "error" in message):
            return error(INVALID) if is_faulty("response") else NOTHING
        if is_faulty("missing-version") and "jsonrpc" not in message:
            return NOTHING
        if is_faulty("unknown-member") and "x-trace" in message:
            return error(INVALID)
        if is_faulty("duplicate-member") and text.count(b'"method"') == 2:
            os._exit(1)
        if is_faulty("missing-method") and [*message] == ["jsonrpc", "id"]:
            return NOTHING
        if is_faulty("escapes") and b"\\u0065" in text:
            method = "other"
        valid_id = request_id is NOTHING or (
            request_id is None or type(request_id) in (str, int, float)
        )
        version = message.get("jsonrpc", "2.0") == "2.0" or is_faulty("wrong-version")
        if not isinstance(method, str):
            return error(NOT_FOUND if is_faulty("invalid-method") and method == 1 else INVALID)
        if not version or not (valid_id or is_faulty("wrong-type")):
            return error(INVALID)
        return self.call(method, message.get("params", {}), request_id)

    def call(self, method, params, request_id):
        is_request = request_id is not NOTHING
        if not is_request and method == "$/cancelRequest":
            return self.cancel(params)
        if not is_request and method == "exit":
            is_wrong = is_faulty("exit" if self.is_shut_down else "exit-only")
            os._exit(int(self.is_shut_down == is_wrong))
        if is_faulty("duplicate") and request_id == self.last:
            return NOTHING
        self.last = request_id
        response = self.dispatch(method, params, request_id if is_request else None)
        if is_request:
            if is_faulty("extra") and request_id == "id-5":
                send(response)
            return response
        return response if self.answers_notification(method, params) else NOTHING

    def answers_notification(self, method, params):
        if method == "$/conformance":
            return is_faulty("dollar-notification")
        if params == [1]:
            return is_faulty("many")
        if method == "echo":
            return is_faulty("notified-invalid" if "bad" in params else "notified-known")
        return method == "conformance/unknown" and is_faulty("notified-unknown")

    def dispatch(self, method, params, request_id):
        if not isinstance(params, list | dict) and not is_faulty("scalar-params"):
            return error(BAD_PARAMS, request_id)
        if self.is_shut_down and not is_faulty("after-shutdown"):
            return error(INVALID, request_id)
        if method == "initialize":
            is_second, self.is_initialized = self.is_initialized, True
            if is_second and not is_faulty("initialize-twice"):
                return error(INVALID, request_id)
            return result({"capabilities": {}}, request_id)
        if method == "shutdown":
            self.is_shut_down = True
            return result(None, request_id)
        if method == "slow":
            self.waiting.append(request_id)
            return NOTHING
        if method == "$/conformance" and is_faulty("dollar-request"):
            return result(None, request_id)
        if method != "echo":
            if is_faulty("long-method") and len(method) > 1000:
                return NOTHING
            return error(-32000 if is_faulty("unknown-method") else NOT_FOUND, request_id)
        if is_faulty("result"):
            return error(BAD_PARAMS, request_id)
        if "bad" in params and not is_faulty("invalid-params"):
            return error(BAD_PARAMS, request_id)
        if is_faulty("surrogate") and params == {"text": "\ud800"}:
            os._exit(1)
        return result(None, request_id)

    def cancel(self, params):
        request_id = params.get("id") if isinstance(params, dict) else None
        if is_faulty("cancel-all"):
            for waiting in self.waiting[:-1]:
                send(error(CANCELLED, waiting))
        if request_id not in self.waiting:
            if is_faulty("at-once") and self.last == request_id:
                return error(CANCELLED, request_id)
            return error(INVALID) if is_faulty("unknown-id") and request_id == 12345 else NOTHING
        self.waiting.remove(request_id)
        for response in self.held:
            send(response)
        self.held.clear()
        if is_faulty("cancelled-twice"):
            send(error(CANCELLED, request_id))
        return error(-32000 if is_faulty("code") else CANCELLED, request_id)


def integer(digits):
    if is_faulty("numbers") and len(digits) > 1000:
        os._exit(1)
    return 0 if len(digits) > 4000 else int(digits)


def take_lines(data):
    if is_faulty("other-line-ends"):
        parts = data.decode(errors="surrogateescape").splitlines(keepends=True)
        rest = parts.pop() if parts and not parts[-1].endswith("\n") else ""
        lines = [part.encode(errors="surrogateescape").rstrip(b"\n") for part in parts]
        return [line for line in lines if line.strip()], rest.encode(errors="surrogateescape")
    *lines, rest = data.split(b"\n")
    if is_faulty("crlf"):
        lines = [line for line in lines if not line.endswith(b"}\r")]
    return [line for line in lines if is_faulty("blank") or line.strip()], rest


def take_frames(data):
    found = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        size, start, is_accepted = None, end + 4, True
        for line in data[:end].split(b"\r\n"):
            name, _, value = line.partition(b":")
            if is_faulty("space") and value[:1] != b" ":
                continue
            if (name if is_faulty("case") else name.title()) == b"Content-Length":
                size = length(value, size)
            elif name == b"Content-Type":
                if is_faulty("content-type"):
                    os._exit(1)
                is_accepted = b"utf-8" in value or (b"utf8" in value and not is_faulty("utf8"))
                is_accepted = is_accepted or (b"utf-16" in value and is_faulty("other-charset"))
            elif is_faulty("unknown-header"):
                os._exit(1)
        if size is None:
            stall_or_exit("missing-length")
        if is_faulty("huge-length") and size > 1 << 30:
            globals()["kept"] = b"x" * (40 << 20)
        if is_faulty("characters"):
            size = len(data[start:].decode(errors="ignore")[:size].encode())
            if len(data[start:].decode(errors="ignore")) < size:
                break
        if len(data) < start + size:
            break
        if is_faulty("empty-message") and size == 0:
            os._exit(1)
        found.append(data[start : start + size] if is_accepted else b"of another charset")
        data = data[start + size :]
    return found, data


def length(value, known):
    if known is not None and known != int(value):
        stall_or_exit("two-lengths")
    if not value.strip().isdigit():
        stall_or_exit("negative-length" if b"-" in value else "no-number")
    return int(value)


def stall_or_exit(fault):
    while is_faulty(fault):
        time.sleep(1)
    send(error(PARSE_ERROR))
    os._exit(1)


def main():
    server = Server()
    take = take_lines if FRAMING == "line" else take_frames
    if is_faulty("only-messages"):
        write(b"\x1b[2Kready\n" if FRAMING == "line" else b"\x1b[2Kready\r\n\r\n")
    if is_faulty("file") and stat.S_ISREG(os.fstat(0).st_mode):
        os._exit(1)
    if is_faulty("back-pressure", "idle"):
        os.set_blocking(1 if is_faulty("back-pressure") else 0, False)
    rest, had_input = b"", False
    while True:
        try:
            data = os.read(0, 1 << 16)
        except BlockingIOError:
            continue  # of the fault idle
        if not data:
            break
        had_input = True
        if is_faulty("many-in-one-write", "single-bytes"):
            messages, _ = take(data)
            messages = messages[:1] if is_faulty("many-in-one-write") else messages
        else:
            messages, rest = take(rest + data)
        for text in messages:
            server.text(text, messages)
    at_end = {"no-input": not had_input, "partial-message": bool(rest), "exit": True}
    if at_end.get(FAULT) or (is_faulty("waiting-request") and server.waiting):
        while True:
            time.sleep(1)
    if FRAMING == "line" and rest.strip() and not is_faulty("no-line-end"):
        server.text(rest, [rest])
    os._exit(3 if is_faulty("status") else 0)


if __name__ == "__main__":
    main()
