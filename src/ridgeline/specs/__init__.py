"""Frozen, validated records: what is known, never what follows from it."""

from typing import TYPE_CHECKING

from ridgeline.lazy import from_modules

if TYPE_CHECKING:
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
else:
    __getattr__ = from_modules(
        __name__,
        {
            "blocks": (
                "Attention Block CompressedAttention DeltaRule Dense ExtraProduct Indexer "
                "LatentAttention LightningAttention Mamba1 Mamba2 MixtureOfExperts ShortConv"
            ),
            "chip": "Chip Memory",
            "cluster": "Cluster",
            "dtype": "Dtype",
            "layout": "Layout",
            "load": "Load",
            "model": "GivenCounts Model Published",
            "network": "Tier",
            "price": "Price",
            "record": "Provenance Record",
        },
    )

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
