"""JSON-RPC 2.0 over byte streams, independent of what the methods do.

framing                 bytes to messages and back: line_framing, header_framing
messages                messages to requests
malformed, recover_id   messages that cannot be read, and their ids
canonical_ids           one form for all ways to write the same id
decode_params           params to what a handler takes
unpaired_surrogates     halves of characters in what is read
error_messages          what is wrong with a message, and what is expected
requests                a request from its arrival to its response
responses               results and errors to responses
task_runner             requests that take time
concurrency_limit       how many of them run at once
output_queue            responses and notifications that wait to be written
connection              requests in flight, and the one place that completes them
shutdown                the end of a connection
stdio                   the process's own streams: read_fd, write_fd, poll_hangup
parent_process          detects that the parent process is gone
"""
