"""JSON-RPC 2.0 over byte streams, independent of what the methods do.

framing                 bytes to messages and back: line_framing, header_framing
messages                messages to requests
malformed, recover_id   messages that cannot be read, and their ids
canonical_ids           one form for all ways to write the same id
decode_params           params to what a handler takes
unpaired_surrogates     halves of characters in what is read
error_messages          what is wrong with a message, and what is expected
requests                a request from its arrival to its response; what handlers are
connection              reads requests and starts them
responder               the ids in flight, and the one place that responds
task_runner             requests that take time: runs each and completes it once
cancellation            $/cancelRequest, and how work is cancelled
concurrency_limit       how many requests run at once
responses               encodes responses and notifications; batches
output_queue            responses and notifications that wait to be written
shutdown                the end of a connection: shutdown, exit, end of input, signals
transport               what connections and transports call of each other
memory_transport        a transport within the process
stdio                   the process's standard streams: read_fd, write_fd, poll_hangup
parent_process          detects that a process is gone
"""
