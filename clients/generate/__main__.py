"""`python -m clients.generate`: make all of it anew."""

from __future__ import annotations

from pathlib import Path

from clients.generate import golang, markdown, typescript
from clients.generate.contract import SCHEMAS, Contract

CLIENTS = Path(__file__).parent.parent


def files() -> dict[Path, str]:
    """Give the contents of all generated files."""
    contract = Contract()
    made = {SCHEMAS / "README.md": markdown.reference(contract)}
    for folder, texts in (
        (CLIENTS / "typescript" / "src" / "generated", typescript.files(contract)),
        (CLIENTS / "go", golang.files(contract)),
    ):
        made |= {folder / name: text for name, text in texts.items()}
    return made


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
