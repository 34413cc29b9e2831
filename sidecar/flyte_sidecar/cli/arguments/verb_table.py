"""The verbs of the command. Their arguments are in their modules."""

from __future__ import annotations

from msgspec import Struct

VERBS_PACKAGE = "flyte_sidecar.cli.verbs"


class Verb(Struct, frozen=True):
    """A verb: the module of this name in `cli/verbs`.

    The module has the function `run(options, **arguments)`, which returns the exit status, and
    `add_arguments(parser)` if the verb has arguments of its own. `verb_details` has the longer
    texts of the help.

    Attributes
    ----------
    summary
        What it does, for lists of verbs. A sentence without its period, in lower case.
    operands
        Its operands in the usage.
    """

    name: str
    summary: str
    operands: str = ""


class Group(Struct, frozen=True):
    """Verbs that are listed together."""

    title: str
    verbs: tuple[Verb, ...]


ONE_OR_ALL = "{RUN NAME | --all}"

GROUPS = (
    Group(
        "answer events",
        (
            Verb(
                "answer",
                "answer an event that waits; without arguments, choose one",
                "[RUN [NAME [VALUE]]]",
            ),
            Verb("signal", "answer an event", "RUN NAME [VALUE]"),
            Verb("approve", "answer an event with yes", ONE_OR_ALL),
            Verb("reject", "answer an event with no", ONE_OR_ALL),
            Verb("abort", "end an event without an answer", ONE_OR_ALL),
            Verb("wait", "wait for the answer to an event, and print it", "RUN NAME"),
            Verb("create", "create an event in the embedded store", "RUN NAME"),
        ),
    ),
    Group(
        "see events",
        (
            Verb("list", "list the events of a run", "RUN"),
            Verb("get", "show an event with its prompt", "RUN NAME"),
            Verb("runs", "list the runs, the newest first"),
            Verb("pending", "list the pending events of all runs"),
            Verb("inbox", "show the pending events, live, and answer them"),
            Verb("watch", "print the current events, then every change", "[RUN]"),
            Verb("notify", "notify when runs start to wait for an answer"),
        ),
    ),
    Group(
        "for programs",
        (
            Verb("serve", "serve one client on stdin and stdout (the default verb)"),
            Verb("call", "send one request and print its result", "METHOD [JSON]"),
            Verb("conformance", "test a server that speaks JSON-RPC 2.0 on stdio", "[-- CMD...]"),
            Verb("schema", "print the wire contract as an OpenRPC document"),
        ),
    ),
    Group(
        "set-up",
        (
            Verb("doctor", "check the installation, the config and the backend"),
            Verb("completion", "print the completion script of a shell", "SHELL"),
            Verb("demo", "show how one process waits for the answer of another"),
            Verb("login", "log in at a Flyte deployment, also for the flyte command"),
            Verb("logout", "delete the stored login at a Flyte deployment"),
        ),
    ),
)

VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
