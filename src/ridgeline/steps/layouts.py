"""Layouts: a plain default for a model on a number of chips, and what makes one impossible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.errors import InfeasibleError
from ridgeline.laws._namespace import ceil
from ridgeline.laws.stages import stage_imbalance
from ridgeline.specs.blocks import Attention, CompressedAttention, LatentAttention, MixtureOfExperts
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.model import Model

__all__ = [
    "can_be",
    "cannot_run",
    "check_engine",
    "check_layout",
    "default_layout",
    "usual_layouts",
]

#: tensor parallelism of layers that name no limit (recurrent ones)
_USUAL_TP = 8
#: layers of the fullest stage over the mean, up to which a plain default is uneven
_UNEVEN = 1.5


def _tp_limit(model: Model) -> int:
    """Tensor parallelism beyond which caches would be replicated."""
    limit = _USUAL_TP
    for block in model.blocks:
        if isinstance(block.mixer, Attention):
            limit = max(limit, _USUAL_TP) if limit == 1 else min(limit, block.mixer.n_kv_heads)
        elif isinstance(block.mixer, LatentAttention | CompressedAttention):
            return 1
    return limit


def default_layout(
    model: Model, cluster: Cluster, n_chips: int, engine: Engine | None = None
) -> Layout:
    """A layout as engines start with: no search, one rule.

    Parameters
    ----------
    model : Model
    cluster : Cluster
    n_chips : int     Chips of one replica.
    engine : Engine or None   That is to run it; None for one that has every layout.

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
    return usual_layouts(model, cluster, n_chips, engine)[0]


def usual_layouts(
    model: Model, cluster: Cluster, n_chips: int, engine: Engine | None = None
) -> list[Layout]:
    """Return the plain default, and the same with more tensor parallelism, which replicates less.

    Parameters
    ----------
    model : Model
    cluster : Cluster
    n_chips : int     Chips of one replica.
    engine : Engine or None   That is to run it; None for one that has every layout.

    Returns
    -------
    list of Layout   Increasing tensor parallelism, within a scale-up domain and the model's heads.
                     Where the engine has none of those, its plain tensor parallelism or stages.

    Examples
    --------
    >>> from ridgeline.catalog import cluster, model
    >>> [x.tp for x in usual_layouts(model("deepseek-ai/DeepSeek-V3"), cluster("hgx-h200"), 8)]
    [1, 2, 4, 8]
    """
    experts = [b.ffn.n_experts for b in model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if engine is not None and experts and engine.cannot_run(attn_dp=2, ep=2):
        experts = []
    limit = _tp_limit(model) if experts else max(_tp_limit(model), _USUAL_TP)
    degrees = [1]
    while degrees[-1] * 2 <= cluster.domain_size and n_chips % (degrees[-1] * 2) == 0:
        degrees.append(degrees[-1] * 2)
    usual = max(tp for tp in degrees if tp <= limit)
    n_layers = sum(b.repeat for b in model.blocks)
    found = []
    for tp in degrees:
        if tp < usual or any(_heads(b, tp) % tp for b in model.blocks):
            continue
        rest = n_chips // tp
        # Of chips with little memory there are more than the layers fill: more share a layer.
        if not experts and not _even(n_layers, rest):
            continue
        if experts:
            spread = max(e for e in range(1, min(n_chips, *experts) + 1) if n_chips % e == 0)
            found.append(Layout(tp=tp, attn_dp=rest, ep=spread))
            if engine is not None and spread < n_chips and cannot_run(engine, found[-1]):
                # It spreads experts over whole stages alone: stages of as many chips, or none.
                stages = n_chips // spread
                if _even(n_layers, stages) and spread % tp == 0:
                    found.append(Layout(tp=tp, pp=stages, attn_dp=spread // tp, ep=spread))
                else:
                    found.append(Layout(tp=tp, attn_dp=rest))
        else:
            found.append(Layout(tp=tp, pp=rest))
    found = found or [Layout(tp=usual, pp=n_chips // usual)]
    if engine is None:
        return found
    return [x for x in found if not cannot_run(engine, x)] or [Layout(pp=n_chips)]


def _even(n_layers: int, stages: int) -> bool:
    return stages <= n_layers and stage_imbalance(n_layers, stages) <= _UNEVEN


def _heads(block: Block, usual: int) -> int:
    return getattr(block.mixer, "n_heads", usual)


def cannot_run(engine: Engine, layout: Layout) -> str:
    """Why an engine does not have a layout, in words; empty where it has."""
    return engine.cannot_run(pp=layout.pp, attn_dp=layout.attn_dp, tp=layout.tp, ep=layout.ep)


def check_engine(engine: Engine, layout: Layout) -> None:
    """Refuse a layout that an engine does not have.

    Raises
    ------
    InfeasibleError   Says which part of it.
    """
    if why := cannot_run(engine, layout):
        raise InfeasibleError(f"{why}. Choose another layout, or another engine (--engine).")


def can_be(model: Model, layout: Layout) -> Any:
    """Whether layouts can be: what `check_layout` tells one by one, of arrays of degrees. [bool]

    Parameters
    ----------
    model : Model
    layout : Layout   Degrees may be arrays.
    """
    found: Any = (layout.pp <= sum(b.repeat for b in model.blocks)) & _divides(
        layout.ep, layout.attn_dp * layout.tp
    )
    for heads in {_heads(block, 0) for block in model.blocks}:
        found = found & _divides(layout.tp, heads)
    for block in model.blocks:
        if isinstance(block.ffn, MixtureOfExperts):
            found = found & (layout.ep <= block.ffn.n_experts)
    return found


def _divides(degree: Any, number: Any) -> Any:
    share = number / degree
    return ceil(share) == share


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
        raise InfeasibleError(
            f"{n_chips} chips in {layout.pp} pipeline stages of {n_chips // layout.pp} are more "
            f"stages than the {n_layers} layers of {model.id}: ask for fewer chips (--chips), for "
            "more tensor parallelism (--tp), or for narrower weights (--weights)."
        )
    for block in model.blocks:
        heads = _heads(block, layout.tp)
        if heads % layout.tp:
            raise InfeasibleError(
                f"tp = {layout.tp} does not divide the {heads} attention heads of {model.id}."
            )
        if isinstance(block.ffn, MixtureOfExperts) and layout.ep > block.ffn.n_experts:
            raise InfeasibleError(
                f"ep = {layout.ep} is more than the {block.ffn.n_experts} experts of a layer."
            )
