"""JSON-RPC 2.0 over byte streams. What the methods do is not known here.

framing     bytes to messages and back
salvage     the id of a message that cannot be read
messages    messages to requests, outcomes to replies
connection  requests in flight, and the one place that answers
stdio       the process's own streams
parent      noticing that the parent process is gone
"""
