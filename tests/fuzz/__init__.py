"""Fuzzers for real sidecar processes.

A round sends some hundred messages to one process. `make test` runs the same few rounds each time.
`make fuzz ROUNDS=N` runs N rounds of each fuzzer with new seeds. A failing round is reduced to as
few messages as possible, which are printed with its seed.
"""
