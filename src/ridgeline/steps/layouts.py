"""Layouts: a plain default for a model on a number of chips, and what makes one impossible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.errors import InfeasibleError
from ridgeline.specs.blocks import Attention, CompressedAttention, LatentAttention, MixtureOfExperts
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model

__all__ = ["check_layout", "default_layout"]

#: tensor parallelism of layers that name no limit (recurrent ones)
_USUAL_TP = 8


def _tp_limit(model: Model) -> int:
    """Tensor parallelism beyond which caches would be replicated."""
    limit = _USUAL_TP
    for block in model.blocks:
        if isinstance(block.mixer, Attention):
            limit = max(limit, _USUAL_TP) if limit == 1 else min(limit, block.mixer.n_kv_heads)
        elif isinstance(block.mixer, LatentAttention | CompressedAttention):
            return 1
    return limit


def default_layout(model: Model, cluster: Cluster, n_chips: int) -> Layout:
    """A layout as engines start with: no search, one rule.

    Parameters
    ----------
    model : Model
    cluster : Cluster
    n_chips : int     Chips of one replica.

    Returns
    -------
    Layout
        Tensor parallelism up to the KV heads, within a scale-up domain. What is left of the chips
        is attention data parallelism with experts over all of them where there are experts,
        pipeline stages where there are none. A single latent serves all heads: no tensor
        parallelism then, unless the model is dense.

    Examples
    --------
    >>> from ridgeline.catalog import cluster, model
    >>> default_layout(model("deepseek-ai/DeepSeek-V3"), cluster("gb200-nvl72"), 72)
    Layout(replicas=1, pp=1, attn_dp=72, tp=1, ep=72)
    """
    sparse = any(isinstance(b.ffn, MixtureOfExperts) for b in model.blocks)
    limit = _tp_limit(model) if sparse else max(_tp_limit(model), _USUAL_TP)
    tp = 1
    while tp * 2 <= min(limit, cluster.domain_size) and n_chips % (tp * 2) == 0:
        tp *= 2
    rest = n_chips // tp
    return Layout(tp=tp, attn_dp=rest, ep=n_chips) if sparse else Layout(tp=tp, pp=rest)


def check_layout(model: Model, layout: Layout, n_chips: int) -> None:
    """Refuse a layout that cannot be, with the reason and what would do.

    Raises
    ------
    InfeasibleError   Degrees that do not multiply to the chips, or do not divide heads or layers.
    """
    used = layout.replicas * layout.pp * layout.attn_dp * layout.tp
    if used != n_chips:
        raise InfeasibleError(
            f"replicas x pp x attn_dp x tp = {used}, but there are {n_chips} chips. "
            f"Change a degree, or say --chips {used}."
        )
    n_layers = sum(b.repeat for b in model.blocks)
    if layout.pp > n_layers:
        raise InfeasibleError(f"pp = {layout.pp} stages are more than the {n_layers} layers.")
    for block in model.blocks:
        heads = getattr(block.mixer, "n_heads", layout.tp)
        if heads % layout.tp:
            raise InfeasibleError(
                f"tp = {layout.tp} does not divide the {heads} attention heads of {model.id}."
            )
        if isinstance(block.ffn, MixtureOfExperts) and layout.ep > block.ffn.n_experts:
            raise InfeasibleError(
                f"ep = {layout.ep} is more than the {block.ffn.n_experts} experts of a layer."
            )
