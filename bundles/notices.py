"""The licenses of what a bundle contains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from bundles.python_runtime import Python, Runtime

FILE_NAME = "THIRD_PARTY_NOTICES.txt"

_LICENSE_NAMES = ("licen", "copying", "notice", "authors")
_RULE = "=" * 80


class MissingLicenseError(Exception):
    """A distribution states no license."""


def notices(runtime: Runtime, python: Python, licenses: Path | None) -> str:
    """Return the license texts of Python and of each distribution in a bundle.

    Parameters
    ----------
    licenses
        A folder with the licenses of the libraries that are linked into this Python.

    Raises
    ------
    MissingLicenseError
        If a distribution has neither a license text nor metadata about its license.
    """
    parts = [_part(f"Python {python.release}", _texts([_license_of_python(runtime)]))]
    if licenses is not None:
        parts += [_part(path.name, _texts([path])) for path in sorted(licenses.glob("LICENSE.*"))]
    found = distributions(path=[str(runtime.site_packages)])
    for distribution in sorted(found, key=lambda each: each.name.lower()):
        if distribution.name != "flyte-sidecar":
            title = f"{distribution.name} {distribution.version}: {_license_of(distribution)}"
            parts.append(_part(title, _texts(_license_files(distribution))))
    return "This package contains the following software.\n\n" + "\n".join(parts)


def _part(title: str, texts: Iterator[str]) -> str:
    return "\n".join([_RULE, title, _RULE, "", *texts])


def _texts(paths: Sequence[Path]) -> Iterator[str]:
    return (path.read_text(encoding="utf-8", errors="replace").rstrip() + "\n" for path in paths)


def _license_of_python(runtime: Runtime) -> Path:
    [path] = [
        path
        for path in (runtime.library / "LICENSE.txt", runtime.root / "LICENSE.txt")
        if path.exists()
    ]
    return path


def _license_of(distribution: Distribution) -> str:
    """Return the license in a distribution's metadata: an expression, or its classifiers."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = metadata.get_all("Classifier", [])
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    stated = ", ".join(names) or next(iter(metadata.get_all("License", [])), "").partition("\n")[0]
    if not stated and not _license_files(distribution):
        raise MissingLicenseError(f"{distribution.name} states no license")
    return stated or "see below"


def _license_files(distribution: Distribution) -> Sequence[Path]:
    """Return the license files in the metadata folder of a distribution."""
    return [
        Path(str(distribution.locate_file(path)))
        for path in sorted(distribution.files or [])
        if _is_license(path)
    ]


def _is_license(path: PurePosixPath) -> bool:
    folder, *inner = path.parts
    return folder.endswith(".dist-info") and (
        inner[0] == "licenses" or inner[-1].lower().startswith(_LICENSE_NAMES)
    )
