"""`did you mean`: the known name that is most similar to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

MAX_COMPARED_LENGTH = 100
"""Characters of a name beyond which it is not compared with others."""


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is similar to a name, or that alone begins with it.

    None if there is none.
    """
    if len(name) > MAX_COMPARED_LENGTH:
        return None
    import difflib

    wanted = _normalize(name)
    names = {_normalize(candidate): candidate for candidate in candidates}
    close = difflib.get_close_matches(wanted, names, 1, 0.75)
    if not close and wanted:
        begun = [known for known in names if known.startswith(wanted)]
        close = begun if len(begun) == 1 else []
    return names[close[0]] if close else None


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """Return `; did you mean ...?` if a candidate is similar, quoted and escaped."""
    found = closest(name, candidates)
    return "" if found is None else f"; did you mean {found!r}?"


def _normalize(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
