"""`python -m flyte_sidecar.schema FOLDER`: write the generated files of the repository.

They are the schema hash in the package and, in the folder, the files that are not derived.
"""

import sys
from pathlib import Path

from flyte_sidecar import schema

(Path(__file__).parent.parent / "protocol" / "schema_hash.py").write_text(schema.hash_module())
files = schema.files()
del files[schema.DERIVED]
schema.write(Path(sys.argv[1]), files)
