"""JSON-RPC 2.0 over byte streams, independent of what the methods do.

framing                 what a framing does; the size limit of messages; malformed messages
stream_decoder          bytes to messages: line_framing, header_framing
messages                messages to requests
recover_id              the ids of messages that cannot be read
canonical_ids           one form for all ways to write the same id
decode_params           params to the struct that a handler takes
unpaired_surrogates     surrogates in strings, which UTF-8 cannot represent
error_messages          error messages about invalid requests
requests                a request from its arrival to its response; handlers
client_requests         requests to the client, and its responses
batches                 collects the responses to a batch into one array, within size limits
connection              reads requests and starts them
responder               the ids in flight; sends exactly one response to each request
task_runner             runs requests that take time, and completes each of them once
cancellation            $/cancelRequest, and how a task is cancelled
concurrency_limit       how many requests run at once
responses               encodes responses and notifications
output_queue            responses and notifications that wait to be written
shutdown                the end of a connection: shutdown, exit, end of input, signals
transport               the interfaces between a transport and its protocol
memory_transport        a transport within the process
stdio                   the process's standard streams: read_fd, write_fd
                        (polled_writer, backlog), poll_hangup
parent_process          detects that a process has ended

Back-pressure: when the client does not read stdout, `backlog` counts the data, and above 1 MiB
calls `pause_writing`. The connection then queues messages without encoding them (output_queue),
starts no work whose result may be large (concurrency_limit), reads no more messages, and pauses
stdin (`Connection._may_read`). Too many unfinished requests also pause stdin (task_runner).
"""
