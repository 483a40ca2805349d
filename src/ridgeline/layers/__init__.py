"""What one layer of a block is made of: records bound to the laws of their kind."""

from ridgeline.layers.binding import SIDES, BlockLayers, Side, block_layers, layer_of
from ridgeline.layers.weights import Weights, weights_of

__all__ = [
    "SIDES",
    "BlockLayers",
    "Side",
    "Weights",
    "block_layers",
    "layer_of",
    "weights_of",
]
