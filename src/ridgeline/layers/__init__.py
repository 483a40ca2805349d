"""What one layer of a block is made of: records bound to the laws of their kind."""

from ridgeline.layers.binding import BlockLayers, block_layers
from ridgeline.layers.weights import Weights, weights_of

__all__ = ["BlockLayers", "Weights", "block_layers", "weights_of"]
