"""Doctests of modules that need an optional package are collected only where it is."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["src/ridgeline/mixing/reversible/*.py"]
