"""The checks of a release."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flyte_sidecar._version import VERSION
from release import changelog, check
from tests.conftest import ROOT, run

REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"
RELEASED = f"""# Changelog

## [Unreleased]

## [0.2.0] - 2027-01-31

### Fixed

- Waits end.

## [0.1.0] - 2026-12-24

### Added

- Everything.

[Unreleased]: {REPOSITORY}/compare/v0.2.0...HEAD
[0.2.0]: {REPOSITORY}/compare/v0.1.0...v0.2.0
[0.1.0]: {REPOSITORY}/releases/tag/v0.1.0
"""


def test_the_versions_and_the_changelog_of_this_repository_agree() -> None:
    assert list(check.problems()) == []


def test_a_tag_of_another_version_is_a_problem() -> None:
    assert f"the tag is v9.9.9, but the version is {VERSION}" in list(check.problems("v9.9.9"))


@pytest.mark.parametrize(
    ("text", "outdated"),
    [("Before the first\nrelease, use a clone.", True), ("The first release was 0.1.0.", False)],
)
def test_a_page_about_the_time_before_the_first_release_is_a_problem(
    text: str, outdated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text(text)
    problem = "a.md describes the time before the first release"
    assert list(check.outdated([tmp_path / "a.md"])) == [problem] * outdated


@pytest.mark.parametrize("other", ["clients/go/version_gen.go", "clients/typescript/package.json"])
def test_another_version_of_a_client_is_a_problem(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "current_version", lambda: "9.9.9")
    found = list(check.problems())
    assert f"{other} is not of version 9.9.9: run `make generate`" in found


def test_the_command_fails_and_prints_the_problems() -> None:
    arguments = (sys.executable, "-m", "release", "check")
    assert run(*arguments, env={}, cwd=ROOT).returncode == 0
    done = run(*arguments, "--tag", "v9.9.9", env={}, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the tag is v9.9.9" in done.stderr


@pytest.mark.parametrize("version", [None, "0.2.0"])
def test_a_changelog_with_dates_and_compare_links_is_accepted(version: str | None) -> None:
    assert list(changelog.problems(RELEASED, version)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## [Unreleased]\n\n", "", "the first section is not ## [Unreleased]"),
        ("2027-01-31", "soon", "the heading of 0.2.0 is not ## [0.2.0] - YYYY-MM-DD"),
        (" - 2027-01-31", "", "the heading of 0.2.0 is not ## [0.2.0] - YYYY-MM-DD"),
        ("### Fixed", "### Bugs", "0.2.0 has a section 'Bugs', which is none of Added, Changed"),
        ("v0.1.0...v0.2.0", "v0.1.0...HEAD", "the link of 0.2.0 is "),
        ("[0.1.0]: ", "[0.0.9]: ", "the link of 0.1.0 is None"),
        ("## [Unreleased]\n", "## [Unreleased]\n\n- New.\n", "Unreleased is not empty"),
        ("## [0.2.0]", "## [0.3.0]", "the section after Unreleased is not that of 0.2.0"),
        ("### Fixed\n\n- Waits end.\n", "", "the section of 0.2.0 is empty"),
    ],
)
def test_a_changelog_that_does_not_describe_the_release_is_rejected(
    old: str, new: str, problem: str
) -> None:
    assert old in RELEASED
    found = list(changelog.problems(RELEASED.replace(old, new), "0.2.0"))
    assert [text for text in found if text.startswith(problem)], found


def test_before_the_first_release_the_link_leads_to_all_commits() -> None:
    text = f"## [Unreleased]\n\n[Unreleased]: {REPOSITORY}/commits/main\n"
    assert list(changelog.problems(text)) == []


def test_the_notes_of_a_release_are_its_section() -> None:
    assert changelog.notes(RELEASED, "0.2.0") == "### Fixed\n\n- Waits end.\n"
    assert changelog.notes(RELEASED, "0.1.0") == "### Added\n\n- Everything.\n"
    with pytest.raises(KeyError):
        changelog.notes(RELEASED, "0.3.0")
