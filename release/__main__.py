"""`python -m release`: the commands of the workflows."""

from __future__ import annotations

import argparse
import json
import sys

from release import changelog, check, supported


def main() -> int:
    """Run a command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("matrix", help="print the test matrix as lines for $GITHUB_OUTPUT")
    checking = commands.add_parser("check", help="check that all versions and the changelog agree")
    checking.add_argument("--tag", help="also check that a release with this tag can be made")
    printing = commands.add_parser("notes", help="print the changelog's section of a version")
    printing.add_argument("version")
    arguments = parser.parse_args()
    if arguments.command == "matrix":
        for name, values in supported.matrix().items():
            print(f"{name}={json.dumps(values)}")
    elif arguments.command == "notes":
        print(changelog.notes(changelog.read(), arguments.version), end="")
    else:
        problems = list(check.problems(arguments.tag))
        print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
        return 1 if problems else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
