#!/usr/bin/env python3
"""An emulation of macOS's `/usr/bin/security`, as far as the sidecar uses it.

The items are in the JSON file of the environment variable KEYCHAIN, and the arguments of each call
in a log beside it. KEYCHAIN_STATUS makes every command fail with an exit status. The rules of `-i`
are those of Apple's published source: a command is a line of at most 4095 bytes, what is longer
becomes another command, and a backslash escapes a character in and outside of quotes.
"""

import json
import os
import sys
from pathlib import Path

NOT_FOUND = 44
LINE_BYTES = 4095


def words_of(line):
    words, word, quote = [], None, ""
    characters = iter(line)
    for character in characters:
        if word is None:
            if character.isspace():
                continue
            quote = character if character in "\"'" else ""
            word = "" if quote else character
        elif character == "\\":
            word += next(characters, "")
        elif character == quote or (not quote and character.isspace()):
            words.append(word)
            word = None
        else:
            word += character
    return words if word is None else [*words, word]


def run(command, *arguments):
    status = int(os.environ.get("KEYCHAIN_STATUS", "0"))
    if status:
        return status
    path = Path(os.environ["KEYCHAIN"])
    items = json.loads(path.read_text()) if path.exists() else {}
    updates = "-U" in arguments
    rest = [word for word in arguments if word != "-U"]
    printed = rest[-1] == "-w"
    options = dict(zip(rest[: len(rest) - printed : 2], rest[1::2], strict=True))
    item = f"{options['-a']} of {options['-s']}"
    if command == "add-generic-password":
        if item in items and not updates:
            return 45
        items[item] = options["-w"]
    elif item not in items:
        sys.stderr.write("The specified item could not be found in the keychain.\n")
        return NOT_FOUND
    elif command == "find-generic-password":
        sys.stdout.write(items[item] + "\n")
        return 0
    elif command == "delete-generic-password":
        del items[item]
    else:
        return 1
    path.write_text(json.dumps(items))
    return 0


def main():
    with open(os.environ["KEYCHAIN"] + ".log", "a") as log:
        log.write(json.dumps(sys.argv[1:]) + "\n")
    if sys.argv[1:] != ["-i"]:
        return run(*sys.argv[1:])
    status = 0
    for whole in sys.stdin.buffer.read().splitlines():
        for start in range(0, len(whole) or 1, LINE_BYTES):
            words = words_of(whole[start : start + LINE_BYTES].decode())
            status = run(*words) if words else 0
    return status


sys.exit(main())
