"""`python -m flyte_sidecar.schema`: write the hash of the schemas into the package."""

from pathlib import Path

from flyte_sidecar.schema import hash_module

(Path(__file__).parent.parent / "protocol" / "hash.py").write_text(hash_module())
