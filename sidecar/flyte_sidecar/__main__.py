"""`python -m flyte_sidecar` is the command."""

from flyte_sidecar.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
