"""The outside world's formats into records."""

from ridgeline.readers.checkpoint import read_checkpoint
from ridgeline.readers.hf_config import read_config

__all__ = ["read_checkpoint", "read_config"]
