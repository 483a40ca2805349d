"""The outside world's formats into records."""

from ridgeline.readers.hf_config import read_config

__all__ = ["read_config"]
