"""What one layer of a block is made of: records bound to the laws of their kind."""

from ridgeline.layers.binding import BlockLayers, block_layers

__all__ = ["BlockLayers", "block_layers"]
