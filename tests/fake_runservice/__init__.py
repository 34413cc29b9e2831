"""A fake of Flyte's RunService: what it does for events, over real gRPC on loopback."""
