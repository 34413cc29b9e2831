"""Conditions of local Flyte runs, answered from the terminal or through the embedded store."""
