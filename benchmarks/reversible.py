"""Activation memory and step time of stored, checkpointed and reversible stacks, with bounds.

Run with: python benchmarks/reversible.py. Needs PyTorch: pip install 'ridgeline[torch]'.

Bytes are those alive at the end of the forward pass beyond parameters, their gradients and the
input: on a GPU by its allocator (torch.cuda.memory_allocated), on a CPU by the storages alive,
counted as operations make them. Times are the fastest of several steps taken by turns, so that
only their ratios are compared. Exits with 1 if a bound does not hold.
"""

from __future__ import annotations

import argparse
import sys

from ridgeline.mixing.reversible import measure

DEPTHS = (2, 4, 8, 16, 32, 48)
#: from 2 to 48 blocks
REVERSIBLE_AT_MOST, STANDARD_AT_LEAST = 1.25, 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    found = measure(
        DEPTHS, device=asked.device, n_steps=0, repeats=asked.repeats, precision_depths=()
    )
    print(f"{found.about['device']}, bytes by {found.about['memory_method']}")
    for row in found.stacks:
        print(
            f"{row['kind']:>13} {row['n_blocks']:>3} blocks  "
            f"alive {row['alive_bytes'] / 1e6:9.2f} MB  peak {row['peak_bytes'] / 1e6:9.2f} MB  "
            f"step {row['step_s'] * 1e3:8.1f} ms = {row['step_over_standard']:.2f} x standard"
        )
    grown = {kind: found.growth(kind) for kind in ("standard", "checkpointed", "reversible")}
    print("growth from 2 to 48 blocks:", ", ".join(f"{k} {v:.2f} x" for k, v in grown.items()))
    for over in ("standard", "checkpointed"):
        print(f"reversible step over {over}: {found.time_ratio('reversible', over):.2f} x (median)")
    holds = grown["reversible"] <= REVERSIBLE_AT_MOST and grown["standard"] >= STANDARD_AT_LEAST
    print("bounds hold" if holds else "BOUNDS BROKEN")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
