"""`python -m clients.generate`: write all generated files."""

from __future__ import annotations

from pathlib import Path

from clients.generate import golang, markdown, typescript, version, vscode
from clients.generate.contract import SCHEMAS, Contract
from flyte_sidecar._version import VERSION

CLIENTS = Path(__file__).parent.parent


def files() -> dict[Path, str]:
    """Return the contents of all generated files, by path."""
    contract = Contract()
    generated = {SCHEMAS / "README.md": markdown.reference(contract)}
    for folder, texts in (
        (CLIENTS / "typescript" / "src" / "generated", typescript.files(contract)),
        (CLIENTS / "go", golang.files(contract)),
    ):
        generated |= {folder / name: text for name, text in texts.items()}
    generated |= version.files(CLIENTS, VERSION)
    extension = CLIENTS / "vscode" / "package.json"
    return generated | {extension: vscode.manifest(generated[extension])}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
