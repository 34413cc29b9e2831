"""The pictures of the pages. `tests/docs/pictures.py` takes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())

MAX_BYTES = 60 * 1024


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_and_loads_nothing(picture: Path) -> None:
    assert picture.stat().st_size <= MAX_BYTES
    text = picture.read_text("latin-1")
    assert re.findall(r"url\((?!#)|href|<script|@import|@font-face", text) == []


def test_each_picture_is_shown_with_an_alternative_text() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = re.compile(r"!\[[^\]]{20,}\]\((?:\.\./|docs/)*pictures/(.+?)\)")
    found = {name for page in pages for name in shown.findall(page.read_text("utf-8"))}
    assert {picture.name for picture in PICTURES} <= found
