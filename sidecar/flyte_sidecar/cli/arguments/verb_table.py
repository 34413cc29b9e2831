"""The verbs of the command. Their arguments are in their modules."""

from __future__ import annotations

from msgspec import Struct

VERBS_PACKAGE = "flyte_sidecar.cli.verbs"


class Verb(Struct, frozen=True):
    """A verb: the module of this name in `cli/verbs`.

    The module has the function `run(options, **arguments)`, which returns the exit status, and
    `add_arguments(parser)` if the verb has arguments of its own.

    Attributes
    ----------
    summary
        What it does, for lists of verbs. A sentence without its period, in lower case.
    operands
        Its operands in the usage.
    details
        Further paragraphs of its help.
    """

    name: str
    summary: str
    operands: str = ""
    details: str = ""


class Group(Struct, frozen=True):
    """Verbs that are listed together."""

    title: str
    verbs: tuple[Verb, ...]


VALUES = """\
VALUE is yes or no (or true or false) for a bool, a number for an int or a float,
and any text for a str. Without VALUE, the terminal shows the prompt and asks.
With -, VALUE is read from stdin; one line end at its end is removed. Before a
VALUE that begins with a dash and is not a number, write --.
"""

STATUS = """\
exit status: 0 if the event has this answer, 1 if not, 2 if the arguments are
invalid. The outcome is printed to stderr. stdout gets the value, unless it is a
terminal.
"""

SIGNAL = f"""\
{VALUES}
examples:
  flyte-sidecar signal r1 rate 0.5
  flyte-sidecar signal r1 note - <note.txt

{STATUS}"""

ANSWER = f"""\
Without NAME, the event is the only one that waits, of run RUN if that is given.
If several wait, you choose one from a list.

{VALUES}
{STATUS}"""

WAIT = """\
examples:
  rate=$(flyte-sidecar wait r1 rate --timeout 10m) || exit

exit status: 0 if the event was answered, 1 if it was aborted, timed out or does
not exist, 2 if the arguments are invalid, 124 after --timeout. The outcome is
printed to stderr. stdout gets the value, unless it is a terminal.
"""

CREATE = """\
examples:
  flyte-sidecar create r1 rate --type float --prompt "Rate?" --expires 1h

The outcome is printed to stderr. stdout gets the id of the event, unless it is a
terminal.
"""

ONE_OR_ALL = "{RUN NAME | --all}"

MANY = """\
With --all, it changes all pending events that match. It first shows them and
how many they are, and asks you to type yes. It changes exactly these events,
even if others arrive meanwhile, and prints one result for each. Events that
others have answered meanwhile are reported, and are no failures.

examples:
  flyte-sidecar {0} --all --run 'nightly-*' --older-than 1h
  flyte-sidecar {0} --all --dry-run
"""

GROUPS = (
    Group(
        "answer events",
        (
            Verb(
                "answer",
                "answer an event that waits; without arguments, choose one",
                "[RUN [NAME [VALUE]]]",
                ANSWER,
            ),
            Verb("signal", "answer an event", "RUN NAME [VALUE]", SIGNAL),
            Verb("approve", "answer an event with yes", ONE_OR_ALL, MANY.format("approve")),
            Verb("reject", "answer an event with no", ONE_OR_ALL, MANY.format("reject")),
            Verb("abort", "end an event without an answer", ONE_OR_ALL, MANY.format("abort")),
            Verb("wait", "wait for the answer to an event, and print it", "RUN NAME", WAIT),
            Verb("create", "create an event in the embedded store", "RUN NAME", CREATE),
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
            Verb(
                "notify",
                "notify when runs start to wait for an answer",
                details="It runs until Ctrl-C or SIGTERM. Each event is reported once by each"
                " channel, however many\nprocesses and editors of the user run on this machine."
                " Events that waited already when\nit starts are reported unless they were before.",
            ),
        ),
    ),
    Group(
        "for programs",
        (
            Verb("serve", "serve one client on stdin and stdout (the default verb)"),
            Verb("call", "send one request and print its result", "METHOD [JSON]"),
            Verb("schema", "print the wire contract as an OpenRPC document"),
        ),
    ),
    Group(
        "set-up",
        (
            Verb(
                "doctor",
                "check the installation, the config and the backend",
                details="Each line is a check with its result; below it, what to do next. Nothing"
                " is changed, and no\nlogin is started. The exit status is 0 if no check has"
                " failed, else 1.",
            ),
            Verb(
                "completion",
                "print the completion script of a shell",
                "SHELL",
                """\
Set-up, once, in a folder from which the shell loads completions:
  flyte-sidecar completion bash \\
      >~/.local/share/bash-completion/completions/flyte-sidecar
  flyte-sidecar completion zsh >FOLDER/_flyte-sidecar
  flyte-sidecar completion fish >~/.config/fish/completions/flyte-sidecar.fish

For zsh, FOLDER is one of $fpath.
""",
            ),
            Verb("demo", "show how one process waits for the answer of another"),
            Verb("login", "log in at a Flyte deployment, also for the flyte command"),
            Verb("logout", "delete the stored login at a Flyte deployment"),
        ),
    ),
)

VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
