"""Write how well the shipped measurements are predicted, for the test that nothing gets worse.

    python scripts/pin_scores.py

Run it after a change that makes predictions better, and say in the commit why they changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tomli_w

from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.scores import score_chunks
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.files import write_whole

TARGET = Path(__file__).parents[1] / "tests" / "fidelity" / "pinned_scores.toml"
KEPT = ("n_rows", "n_answered", "median", "p90", "coverage", "width")


def main() -> int:
    """Write one table a regime, and one for all rows."""
    board = score_chunks([read_rows([SHIPPED])], predict).scores.board(["regime"])
    pinned = {
        "all" if row["by"] == "all" else row["group"]: {
            k: round(row[k], 4) for k in KEPT if row[k] is not None
        }
        for row in board
    }
    head = "# Written by scripts/pin_scores.py; not by hand.\n\n"
    write_whole(TARGET, head + tomli_w.dumps(pinned))
    return 0


if __name__ == "__main__":
    sys.exit(main())
