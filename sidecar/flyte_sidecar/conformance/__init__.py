"""Tests servers that speak JSON-RPC 2.0 on stdin and stdout, from outside.

target          the server to test, and what is known of its methods
server_process  a process of the server, with its streams
framing         how messages are separated in both streams
messages        JSON texts, and the rules for the form of messages
evidence        what was sent and received
connection      messages to and from a process
check           a check, its rule, and its result
checks/         the checks, one module for each group
run             runs them
transcripts     replays recorded conversations with a sidecar

It shares no code with the server of this package: both would have the same mistakes.
"""
