"""What `flyte-sidecar doctor` prints."""

from __future__ import annotations

import re
from typing import NamedTuple

LINE = re.compile(r"(?P<status>ok|warning|FAILED|skipped) +(?P<name>.+?)  +(?P<detail>.*)")
ADVICE = " " * 9 + "-> "


class Line(NamedTuple):
    """A check: its result, and what to do next."""

    status: str
    detail: str
    advice: str


def read_report(text: str) -> dict[str, Line]:
    """Return the checks by name; every line but the last belongs to one."""
    report: dict[str, Line] = {}
    name = ""
    *lines, summary = text.splitlines()
    for line in lines:
        if line.startswith(ADVICE):
            assert not report[name].advice
            report[name] = report[name]._replace(advice=line.removeprefix(ADVICE))
        else:
            match = LINE.fullmatch(line)
            assert match, line
            name = match["name"]
            report[name] = Line(match["status"], match["detail"], "")
    failed = any(line.status == "FAILED" for line in report.values())
    assert ("FAILED" in summary) == failed
    for line in report.values():
        assert line.advice or line.status in ("ok", "skipped")
    return report
