"""The outside world's formats into records."""

from ridgeline.readers.checkpoint import read_checkpoint
from ridgeline.readers.hf_config import read_config
from ridgeline.readers.hub import read_hub

__all__ = ["read_checkpoint", "read_config", "read_hub"]
