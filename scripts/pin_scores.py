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
from ridgeline.fidelity.training import read_training
from ridgeline.fidelity.training.folds import UnseenRun
from ridgeline.fidelity.training.predict import predict_training
from ridgeline.fidelity.training.scores import memory_verdicts, score_line
from ridgeline.fidelity.training.shipped import SHIPPED_TRAINING
from ridgeline.files import write_whole

TESTS = Path(__file__).parents[1] / "tests" / "fidelity"
KEPT = ("n_rows", "n_answered", "median", "p90", "coverage", "width")
OF_TRAINING = ("n_rows", "n_answered", "median", "mape", "p90", "coverage", "width")
OF_FAILURES = ("n_rows", "n_failed", "right", "missed", "brier")
HEAD = "# Written by scripts/pin_scores.py; not by hand.\n\n"


def main() -> int:
    """Write one table a regime, and one for all rows; of training runs one a metric."""
    board = score_chunks([read_rows([SHIPPED])], predict).scores.board(["regime"])
    pinned = {
        "all" if row["by"] == "all" else row["group"]: {
            k: round(row[k], 4) for k in KEPT if row[k] is not None
        }
        for row in board
    }
    write_whole(TESTS / "pinned_scores.toml", HEAD + tomli_w.dumps(pinned))
    write_whole(TESTS / "pinned_training.toml", HEAD + tomli_w.dumps(_of_training()))
    return 0


def _of_training() -> dict[str, dict[str, float]]:
    """Scores of the training runs that ship: all, each metric, and failures."""
    rows = read_training([SHIPPED_TRAINING])
    pairs = zip(rows, predict_training(rows), strict=True)
    unseen = [UnseenRun(row, prediction, "") for row, prediction in pairs]
    metrics = sorted({row.metric for row in rows if row.metric != "oom"})
    lines = {"all": score_line(unseen)}
    lines |= {m: score_line(unseen, lambda r, m=m: r.metric == m) for m in metrics}
    pinned = {name: {k: round(line[k], 4) for k in OF_TRAINING} for name, line in lines.items()}
    verdicts = memory_verdicts(unseen)
    return pinned | {"oom": {k: round(verdicts[k], 4) for k in OF_FAILURES}}


if __name__ == "__main__":
    sys.exit(main())
