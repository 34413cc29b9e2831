"""A Flyte deployment, by its RunService."""
