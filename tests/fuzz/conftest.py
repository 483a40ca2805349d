"""Samples of configs are the readers' own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "readers"))
