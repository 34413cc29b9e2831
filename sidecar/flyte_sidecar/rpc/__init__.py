"""JSON-RPC 2.0 over byte streams. What the methods do is not known here.

framing     bytes to messages and back
ids         one form for all ways to write the same id
salvage     the id of a message that cannot be read
messages    messages to requests
params      their params to what a method takes
surrogates  halves of characters in what is read
explain     what is wrong with a message, and what is expected
replies     outcomes to replies
calls       a request from its reading to its answer
work        requests that take their time
window      how many of them go on at once
outbox      answers on their way out
connection  requests in flight, and the one place that answers
lifecycle   the end of a connection
stdio       the process's own streams: reading, writing, and the hanging up of their reader
parent      noticing that the parent process is gone
"""
