"""Side-by-side measurements of the sidecar; run `python -m benchmarks`."""
