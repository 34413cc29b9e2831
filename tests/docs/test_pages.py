"""What the pages of the site have in place of what GitHub renders."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs_site import pages

TABS = """\
# Get started

<!-- tabs -->

### Shell

```bash
# a comment
flyte-sidecar answer
```

### Go

Text.

<!-- end of tabs -->

After.
"""

IN_TABS = """\
# Get started

=== "Shell"

    ```bash
    # a comment
    flyte-sidecar answer
    ```

=== "Go"

    Text.

After.
"""


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the pages of another repository."""
    (tmp_path / "docs" / "clients").mkdir(parents=True)
    (tmp_path / "docs" / "go.md").touch()
    (tmp_path / "clients" / "go").mkdir(parents=True)
    (tmp_path / "clients" / "lens.png").write_bytes(b"picture")
    (tmp_path / "CHANGELOG.md").write_text("[the client](clients/go), [Go](docs/go.md)\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(pages, "ELSEWHERE", {"changelog.md": tmp_path / "CHANGELOG.md"})
    return tmp_path / "docs"


def test_sections_become_tabs(docs: Path) -> None:
    (docs / "start.md").write_text(TABS)
    assert pages.page("start.md") == IN_TABS


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("../go.md#start", "../go.md#start"),
        ("../../CHANGELOG.md", "../changelog.md"),
        ("../../clients/lens.png", "../pictures/clients-lens.png"),
        ("../../clients/x.go", f"{pages.REPOSITORY}/blob/main/clients/x.go"),
        ("../../clients/go", f"{pages.REPOSITORY}/tree/main/clients/go"),
        ("https://flyte.org", "https://flyte.org"),
        ("#start", "#start"),
    ],
)
def test_a_link_leads_to_the_page_or_to_the_file_on_github(
    docs: Path, link: str, on_the_site: str
) -> None:
    (docs / "clients" / "node.md").write_text(f"See [`it`]({link}).\n")
    assert pages.page("clients/node.md") == f"See [`it`]({on_the_site}).\n"


@pytest.mark.parametrize("code", ["`a[0](../x.md)`", "```js\na[0](../x.md)\n```"])
def test_code_is_not_changed(docs: Path, code: str) -> None:
    (docs / "clients" / "node.md").write_text(f"{code}\n")
    assert pages.page("clients/node.md") == f"{code}\n"


def test_files_outside_of_the_folder_are_pages_with_working_links(docs: Path) -> None:
    expected = f"[the client]({pages.REPOSITORY}/tree/main/clients/go), [Go](go.md)\n"
    assert pages.page("changelog.md") == expected


def test_only_what_has_changed_is_written_again(docs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (docs / "start.md").write_text("![A lens](../clients/lens.png)\n")
    pages.write(site)
    assert (site / "pictures" / "clients-lens.png").read_bytes() == b"picture"
    before = (site / "go.md").stat().st_mtime_ns
    (docs / "start.md").write_text("changed\n")
    pages.write(site)
    assert (site / "start.md").read_text() == "changed\n"
    assert (site / "go.md").stat().st_mtime_ns == before
