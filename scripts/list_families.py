"""Write the tables of docs/families.md from the table of families.

python scripts/list_families.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ridgeline.readers.families import Family, families, known_wrappers, not_described

PAGE = Path(__file__).parents[1] / "docs" / "families.md"
LISTED = re.compile(r"(?<=<!-- (\w{8}) -->\n).*?(?=<!-- /\1 -->)", re.DOTALL)
#: the kinds of parts, in words and in the order they are listed
KINDS = {
    "attention": "attention",
    "mla": "MLA",
    "compressed": "compressed attention",
    "delta": "delta rule",
    "lightning": "lightning attention",
    "mamba1": "Mamba-1",
    "mamba2": "Mamba-2",
    "conv": "short convolution",
    "dense": "dense",
    "moe": "experts",
}


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _decided(family: Family) -> str:
    fields = (
        ("model_type", family.model_types),
        ("architectures", family.architectures),
        ("the keys", family.by_keys),
    )
    return "; ".join(f"{field}: {_code(names)}" for field, names in fields if names)


def _family(family: Family) -> str:
    made = [words for kind, words in KINDS.items() if kind in family.kinds()]
    return f"| {family.name} | {_decided(family)} | {', '.join(made)} |"


def _table(head: str, rows: list[str]) -> str:
    line = "| " + " | ".join("---" for _ in head.split(" | ")) + " |"
    return "\n".join(["", f"| {head} |", line, *rows, "", ""])


def tables() -> dict[str, str]:
    """The tables of the page by the marks around them."""
    wrapped = [f"| `{outer}` | `{inner}` |" for outer, inner in sorted(known_wrappers().items())]
    refused = [f"| `{name}` | {why} |" for name, why in sorted(not_described().items())]
    return {
        "families": _table("family | decided by | layers", [_family(f) for f in families()]),
        "wrappers": _table("model_type | language model", wrapped),
        "excluded": _table("model_type or class | why", refused),
    }


def built(page: str) -> str:
    """Return the page with its tables anew."""
    anew = tables()
    return LISTED.sub(lambda found: anew[found[1]], page)


def main() -> int:
    """Write the page in place."""
    PAGE.write_text(built(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
