"""Doctests of modules that need an optional package are collected only where it is."""

import os
from importlib.util import find_spec

# Answers say how old prices are: tests are asked on one day.
os.environ["RIDGELINE_TODAY"] = "2026-11-27"

collect_ignore_glob = [] if find_spec("torch") else ["src/ridgeline/mixing/reversible/*.py"]
