"""`python -m bundles`: build a bundle, or the npm packages; see README.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bundles import npm
from bundles.build import Sources, build
from bundles.notices import MissingLicenseError
from bundles.platforms import PLATFORMS, this_platform
from bundles.shared_libraries import NotRelocatableError


def main() -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args()
    try:
        if options.what == "client":
            options.output.mkdir(parents=True, exist_ok=True)
            print(npm.pack_client(options.output))
        else:
            sources = Sources(
                options.python, options.wheel, options.licenses, options.copy_libraries
            )
            _build(options.what, options.output, sources)
    except (NotRelocatableError, MissingLicenseError, npm.NotBuiltError, OSError) as error:
        print(f"bundles: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _build(what: str, output: Path, sources: Sources) -> None:
    platform = this_platform()
    if platform not in PLATFORMS:
        raise OSError(f"there is no bundle for {platform.name}")
    if what == "folder":
        build(output, sources, platform)
        print(output)
        return
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary, platform.name)
        build(bundle, sources, platform)
        print(npm.pack_platform(bundle, platform, output))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bundles", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    for name, summary in (
        ("folder", "build a bundle for this platform in a new folder"),
        ("platform", "pack the npm package of this platform into a folder"),
        ("client", "pack the npm package of the client, after its build, into a folder"),
    ):
        kind = kinds.add_parser(name, help=summary, description=summary)
        kind.add_argument("output", type=Path)
        if name != "client":
            _add_sources(kind)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    defaults = Sources()
    parser.add_argument(
        "--python",
        type=Path,
        default=defaults.python,
        metavar="PATH",
        help="interpreter of a relocatable Python to copy (default: the running one)",
    )
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="PATH",
        help="wheel of flyte-sidecar (default: one that is built for it)",
    )
    parser.add_argument(
        "--licenses",
        type=Path,
        metavar="DIR",
        help="folder with the licenses, LICENSE.*, of the libraries that are linked into this"
        " Python (default: none)",
    )
    parser.add_argument(
        "--copy-libraries",
        action="store_true",
        help="copy the libraries of this machine that this Python needs: for tests, since their"
        " licenses are not in the bundle (default: fail if there are any)",
    )


if __name__ == "__main__":
    sys.exit(main())
