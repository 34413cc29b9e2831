"""Fuzzers that drive real sidecar processes.

A round is one process that is sent some hundred messages. `make test` runs the same few rounds
each time. `make fuzz ROUNDS=N` runs N rounds of each fuzzer that it has never run; what fails is
reduced to the few messages that it takes, and printed with its seed.
"""
