"""Write the JSON schemas of all records to docs/schemas. Run after changing a record."""

from __future__ import annotations

import json
from pathlib import Path

from ridgeline.files import write_whole
from ridgeline.specs.schema import SCHEMAS, json_schema

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"

for name in SCHEMAS:
    write_whole(FOLDER / f"{name}.json", json.dumps(json_schema(name), indent=1) + "\n")
