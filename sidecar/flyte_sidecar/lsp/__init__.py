"""The language server: events next to the code that declares them, on pygls.

The connection to the editor:

- `capabilities`: what the editor supports, and what the response to `initialize` announces
- `session`: queues the editor's messages until the rest is imported, in a thread
- `bridge`, `messages`: pass messages between the connection and pygls
- `window`, `client`, `refreshes`: what the server sends to the editor

What it offers:

- `features`: one module per kind of request
- `commands`, `event_arguments`, `answers`, `command_texts`: the commands of lenses and actions
- `asking`: asks when an event starts to wait, once per user and machine
- `event_feed`, `plugin_messages`: report the events to a plugin that shows them
- `progress`: shows that the server waits for the backend
- `prompt_uris`: the documents that show the prompt of an event

What it knows:

- `editor`: the state that the features share
- `settings`, `configuration`: the editor's settings, and the backend that they select
- `documents`, `workspace_files`: the files of the editor; `source`: the syntax of one file
- `followed_events`: the events of the backend that the settings select
- `history`: the events of recent runs
- `texts`, `markup`, `sanitize`, `safe_markdown`: what a person reads, safe from hostile text

`capabilities` and `session` are imported when an editor connects, before the response to
`initialize`, and `followed_events` right after it: none of them imports pygls, lsprotocol or
tree-sitter, which takes a quarter of a second.
"""
