"""`python -m sidecar` is the command."""

from sidecar.cli import entry_point

if __name__ == "__main__":
    entry_point()
