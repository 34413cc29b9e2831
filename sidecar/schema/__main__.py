"""`python -m sidecar.schema`: write the hash of the schemas into the package."""

from pathlib import Path

from sidecar.schema import hash_module

(Path(__file__).parent.parent / "protocol" / "hash.py").write_text(hash_module())
