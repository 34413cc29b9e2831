#!/usr/bin/env bash
# Prints the notifications of a watch, until Ctrl-C. A watch ends at the end of the input.
request='{"jsonrpc":"2.0","id":1,"method":"events.watch","params":{"watch":"w"}}'
{ echo "$request"; cat; } | flyte-sidecar
