"""`python -m shell_files`: write all generated files."""

from __future__ import annotations

from pathlib import Path

from flyte_sidecar.cli.verbs.completion import FOLDER, SCRIPTS
from shell_files import completion, man_page

MAN_PAGE = Path(__file__).parent.parent / "docs" / "flyte-sidecar.1"


def files() -> dict[Path, str]:
    """Return the contents of all generated files, by path."""
    scripts = {FOLDER / name: completion.script(shell) for shell, name in SCRIPTS.items()}
    return {**scripts, MAN_PAGE: man_page.text()}


if __name__ == "__main__":
    for path, content in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
