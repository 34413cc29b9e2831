"""The paragraphs, examples and exit statuses in the help of verbs; the help wraps the lines."""

_STATUS = """\
exit status: 0 if the event has this answer, 1 if not, 2 if the arguments are
invalid. The outcome is printed to stderr. stdout gets the value, unless it is a
terminal.
"""

_VALUE = """\
VALUE is yes or no (or true or false) for a bool, a number for an int or a float,
and any text for a str. Without VALUE, the terminal shows the prompt and asks.
With -, VALUE is read from stdin; one line end at its end is removed. Before a
VALUE that begins with a dash and is not a number, write --.
"""

_ANSWER = f"""\
Without NAME, the event is the only one that waits, of run RUN if that is given.
If several wait, you choose one from a list.

{_VALUE}
examples:
  flyte-sidecar answer
  flyte-sidecar answer r1

{_STATUS}"""

_SIGNAL = f"""\
The first answer wins; the same answer again succeeds, and changes nothing.

{_VALUE}
examples:
  flyte-sidecar signal r1 rate 0.5
  flyte-sidecar signal r1 note - <note.txt

{_STATUS}"""

_MANY = """\
With --all, it changes all pending events that match{0}. It first shows them and
how many they are, and asks you to type yes. It changes exactly these events, even
if others arrive meanwhile, and prints one result for each. Events that others
have answered meanwhile are reported, and are no failures.

examples:
  flyte-sidecar {1} r1 deploy
  flyte-sidecar {1} --all --run 'nightly-*' --older-than 1h
  flyte-sidecar {1} --all --dry-run

exit status: 0 if the event is {2}, 1 if not, 2 if the arguments are invalid. With
--all, it is 1 if an event could not be changed, or a backend cannot be read.
"""

_APPROVE = _MANY.format(" and expect yes or no", "approve", "approved")

_REJECT = _MANY.format(" and expect yes or no", "reject", "rejected")

_ABORT = _MANY.format("", "abort", "aborted")

_WAIT = """\
examples:
  rate=$(flyte-sidecar wait r1 rate --timeout 10m) || exit
  flyte-sidecar wait r1 deploy --await-creation

exit status: 0 if the event was answered, 1 if it was aborted, timed out or does
not exist, 2 if the arguments are invalid, 124 after --timeout. The outcome is
printed to stderr. stdout gets the value, unless it is a terminal.
"""

_CREATE = """\
The outcome is printed to stderr. stdout gets the id of the event, unless it is a
terminal.

examples:
  flyte-sidecar create r1 deploy --prompt "Deploy the model?"
  flyte-sidecar create r1 rate --type float --expires 1h
"""

_GET = """\
If several events have the name, it is the one that waits, or else the last one.

examples:
  flyte-sidecar get r1 deploy
  flyte-sidecar get r1 deploy --json | jq -r .prompt
"""

_PENDING = """\
If one of both backends cannot be read, stderr says why its events are missing.

examples:
  flyte-sidecar pending --backend all
  flyte-sidecar pending --json | jq -r .runName
"""

_INBOX = """\
Arrow keys select an event, y and n answer it, and ? shows all keys. There is no
undo. The full screen needs pip install 'flyte-sidecar[inbox]'; without it, the
inbox is plain. Without a terminal, it prints the same as pending.
"""

_WATCH = """\
It ends with Ctrl-C, or with the end of the run.

examples:
  flyte-sidecar watch r1
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
"""

_NOTIFY = """\
It runs until Ctrl-C or SIGTERM. Each event is reported once by each channel,
however many processes and editors of the user run on this machine. Events that
already wait when it starts are reported, unless they were reported before.

examples:
  flyte-sidecar notify --after 10m --remind 1h
  flyte-sidecar notify --exec ./page-me.sh --run 'nightly-*'
"""

_SERVE = """\
It reads requests until the end of its input. The first byte selects the framing:
one JSON text per line, or LSP headers.

examples:
  flyte-sidecar <requests.jsonl
"""

_CALL = """\
examples:
  flyte-sidecar call runs.list
  flyte-sidecar call events.list '{"runName": "r1"}'
  flyte-sidecar call events.create - <params.json

exit status: 0 if the response is a result, 1 if it is an error, which is printed
to stderr, 2 if the arguments are invalid.
"""

_DOCTOR = """\
Each line is a check with its result; below it, what to do next. Nothing is
changed, and no login is started. The exit status is 0 if no check has failed,
else 1.
"""

_COMPLETION = """\
Set-up, once, in a folder from which the shell loads completions:
  flyte-sidecar completion bash \\
      >~/.local/share/bash-completion/completions/flyte-sidecar
  flyte-sidecar completion zsh >FOLDER/_flyte-sidecar
  flyte-sidecar completion fish >~/.config/fish/completions/flyte-sidecar.fish

For zsh, FOLDER is one of $fpath.
"""

_CONFORMANCE = """\
It starts the server, sends it valid, invalid and hostile messages, and prints
what it does with them. Framing is detected, or headers for a language server. A
check that fails is repeated with a new process. The levels are must (a rule of
the JSON-RPC 2.0 or LSP specification with this word, or an example in it) and
should.

examples:
  flyte-sidecar conformance -- ./server --stdio
  flyte-sidecar conformance --lsp -- gopls
  flyte-sidecar conformance --call add '[1, 2]' --invalid add '{}' \\
      --slow sleep '[60]' -- ./server
  flyte-sidecar conformance --only batches --verbose -- ./server

exit status: 0 if no check of level must fails, 1 if one does, 2 if the arguments
are invalid or the server does not respond.
"""

DETAILS = {
    "answer": _ANSWER,
    "signal": _SIGNAL,
    "approve": _APPROVE,
    "reject": _REJECT,
    "abort": _ABORT,
    "wait": _WAIT,
    "create": _CREATE,
    "get": _GET,
    "pending": _PENDING,
    "inbox": _INBOX,
    "watch": _WATCH,
    "notify": _NOTIFY,
    "serve": _SERVE,
    "call": _CALL,
    "conformance": _CONFORMANCE,
    "doctor": _DOCTOR,
    "completion": _COMPLETION,
}
"""By verb."""
