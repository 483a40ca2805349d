"""FLOPs of a training step in each convention in use, and utilisation in it.

Three counts are published under one name. They differ by whether attention is counted over the
whole square of a sequence or its causal half, and whether what is computed again counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import minimum
from ridgeline.laws.shapes import mean_entries_visible, product_macs
from ridgeline.layers import block_layers
from ridgeline.steps.counts import counts
from ridgeline.steps.kept import PRODUCTS_AGAIN
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from ridgeline.laws.shapes import Stream
    from ridgeline.trainer.job import TrainingJob

__all__ = [
    "CONVENTIONS",
    "Convention",
    "flops_by_convention",
    "model_flops",
    "passes_over_weights",
    "peak_flops_per_s",
    "telling_convention",
    "utilization",
]

#: ``full``: every query meets every key of its sequence (or window); ``causal``: those before it;
#: ``hardware``: as full, and what the backward pass computes again
Convention = Literal["full", "causal", "hardware"]
CONVENTIONS: tuple[Convention, ...] = ("full", "causal", "hardware")

#: a forward pass, and the gradients of inputs and of weights
_PASSES, _PASSES_FROZEN = 3, 2


def model_flops(job: TrainingJob, convention: Convention = "full") -> Any:
    r"""FLOPs of one optimizer step of the whole job.

    .. math:: T \left(6 N + 12 L\,h\,s\right) \quad\text{full}, \qquad
              T \left(6 N + 6 L\,h\,s\right) \quad\text{causal}

    Parameters
    ----------
    job : TrainingJob
    convention : str   See `CONVENTIONS`.

    Returns
    -------
    array   N counts parameters that multiply, experts as far as a token passes them, and the head,
            not the look-up of the embedding. Frozen weights have no gradient of their own. [FLOP]

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient large-scale language model training on GPU clusters",
       2021, eq. 2 (hardware, with full recompute); A. Chowdhery et al., "PaLM", 2022, app. B
       (full).

    Examples
    --------
    Llama-3 8B at 8,192 tokens: 57.9 GFLOP a token, 51.5 where the causal half is counted.

    >>> from ridgeline import catalog
    >>> from ridgeline.specs.training import TrainingLoad
    >>> from ridgeline.trainer.job import TrainingJob
    >>> load = TrainingLoad(seq_len=8192, global_batch=1)
    >>> job = TrainingJob(catalog.model("meta-llama/Meta-Llama-3-8B"),
    ...                   catalog.cluster("hgx-h100"), load=load)
    >>> [round(float(model_flops(job, c)) / 8192 / 1e9, 1) for c in ("full", "causal")]
    [57.9, 51.5]
    """
    products, core = _macs_per_token(job, causal=convention == "causal")
    head = job.model.vocab_size * job.model.d_model  # type: ignore[operator]
    macs = passes_over_weights(job) * (products + head) + _PASSES * core
    if convention == "hardware":
        macs = macs + _again(job, products, core)
    return 2.0 * macs * job.load.seq_len * job.load.global_batch


def flops_by_convention(job: TrainingJob) -> dict[str, Any]:
    """FLOPs of a step in each convention; of the blackboard's reading its own 6 N D. [FLOP]

    Parameters
    ----------
    job : TrainingJob
    """
    if job.reading == "blackboard":
        active = float(counts(job.model).n_params_active)
        tokens = job.load.seq_len * job.load.global_batch
        return {"6ND": 2 * passes_over_weights(job) * active * tokens}
    return {name: model_flops(job, name) for name in CONVENTIONS}


def telling_convention(job: TrainingJob) -> str:
    """The convention that one number is given in: full attention, as papers count it.

    An ideal step does the causal half alone, which is what its bound is of; a blackboard's has 6 N
    D and nothing else.

    Parameters
    ----------
    job : TrainingJob
    """
    return {"blackboard": "6ND", "ideal": "causal"}.get(job.reading, "full")


def passes_over_weights(job: TrainingJob) -> int:
    """Times that all weights multiply a token: forward, and each gradient that there is. [1]"""
    return _PASSES if job.recipe.trains_all else _PASSES_FROZEN


def _macs_per_token(job: TrainingJob, causal: bool) -> tuple[Any, Any]:
    """Multiply-adds of a token forward: products of all layers, and the attention core."""
    length = job.load.seq_len if job.load.document is None else job.load.document
    products: Any = 0.0
    core: Any = 0.0
    for block in job.model.blocks:
        layers = block_layers(block, job.model.d_model)
        for layer in layers:
            products = products + block.repeat * sum(product_macs(p) for p in layer.products)
        keys = [
            _keys(s, length, causal) * minimum(s.macs, s.expanded_macs) for s in _streams(layers)
        ]
        core = core + block.repeat * (sum(keys) + layers.mixer.state_macs)
    return products, core


def _streams(layers: Any) -> tuple[Stream, ...]:
    return layers.mixer.streams


def _keys(stream: Stream, length: Any, causal: bool) -> Any:
    if causal:
        return mean_entries_visible(stream, 0.0, length)
    most = minimum(length / stream.tokens_per_entry, stream.keep)
    return minimum(most, stream.read)


def _again(job: TrainingJob, products: Any, core: Any) -> Any:
    """Multiply-adds of a token that the backward pass does a second time."""
    recipe = job.recipe
    if recipe.recompute == "none":
        return 0.0
    if recipe.recompute == "selective":
        return core
    if recipe.recompute == "products":
        return products * PRODUCTS_AGAIN
    share: Any = 1.0
    if recipe.recompute == "layers":
        n_layers = sum(block.repeat for block in job.model.blocks)
        of_stage = n_layers / np.asarray(job.layout.pp)
        share = np.minimum(np.asarray(recipe.recompute_layers) / of_stage, 1.0)
    return (products + core) * share


def peak_flops_per_s(job: TrainingJob) -> float:
    """Datasheet peak of the job's arithmetic on one chip. [FLOP/s]"""
    chip = job.cluster.chip
    return chip.peak[compute_dtype(dtype_of(job.recipe.precision), chip)]


def utilization(job: TrainingJob, step_s: Any, convention: Convention = "full") -> Any:
    """Share of the chips' peak that a step's FLOPs make up: MFU, or HFU in ``hardware``. [1]

    Parameters
    ----------
    job : TrainingJob
    step_s : array     Time of an optimizer step. [s]
    convention : str   See `CONVENTIONS`.
    """
    return model_flops(job, convention) / (step_s * job.n_chips * peak_flops_per_s(job))
