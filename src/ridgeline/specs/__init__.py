"""Frozen, validated records: what is known, never what follows from it."""

from ridgeline.specs.blocks import (
    Attention,
    Block,
    CompressedAttention,
    DeltaRule,
    Dense,
    ExtraProduct,
    Indexer,
    LatentAttention,
    LightningAttention,
    Mamba1,
    Mamba2,
    MixtureOfExperts,
    ShortConv,
)
from ridgeline.specs.chip import Chip, Memory
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.dtype import Dtype
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import Load
from ridgeline.specs.model import GivenCounts, Model, Published
from ridgeline.specs.network import Tier
from ridgeline.specs.price import Price
from ridgeline.specs.record import Provenance, Record

__all__ = [
    "Attention",
    "Block",
    "Chip",
    "Cluster",
    "CompressedAttention",
    "DeltaRule",
    "Dense",
    "Dtype",
    "ExtraProduct",
    "GivenCounts",
    "Indexer",
    "LatentAttention",
    "Layout",
    "LightningAttention",
    "Load",
    "Mamba1",
    "Mamba2",
    "Memory",
    "MixtureOfExperts",
    "Model",
    "Price",
    "Provenance",
    "Published",
    "Record",
    "ShortConv",
    "Tier",
]
