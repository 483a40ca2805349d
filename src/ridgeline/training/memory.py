"""What a chip holds in a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ridgeline.steps.training_count import TrainingCount

__all__ = ["kept_on_stages"]


def kept_on_stages(count: TrainingCount, layers: Any) -> Any:
    """Inputs of layers that a micro-batch leaves on each stage. [bytes]"""
    kinds = len(count.model.blocks)
    each = count.stream_tokens * count.model.d_model * count.step.activation_bytes
    return layers[:, :, :kinds].sum(axis=2) * np.asarray(each)[..., None]
