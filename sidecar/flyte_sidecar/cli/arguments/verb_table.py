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


GROUPS = (
    Group(
        "see events",
        (
            Verb("pending", "list the pending events of all runs"),
            Verb("watch", "print the current events, then every change", "[RUN]"),
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
            Verb("doctor", "check configuration and connectivity"),
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
            Verb("demo", "show two processes that share a store: one waits, the other answers"),
            Verb("login", "log in at a Flyte deployment, for all sidecars and the flyte command"),
            Verb("logout", "delete the stored login at a Flyte deployment"),
        ),
    ),
)

VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
