"""The command: one module for each verb."""
