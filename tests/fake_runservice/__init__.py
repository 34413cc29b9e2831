"""A stand-in for Flyte's RunService: its behaviour for events, over real gRPC on loopback."""
