# pyright: reportMissingImports=false
"""Train the small GPT and keep its losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible.gpt import GPT
from ridgeline.mixing.reversible.text import text_as_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.mixing.reversible.gpt import Kind

__all__ = ["loss_curve"]


def loss_curve(
    blocks: Kind,
    *,
    n_steps: int,
    n_layers: int = 4,
    d_model: int = 64,
    n_context: int = 64,
    batch: int = 8,
    learning_rate: float = 1e-3,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    seed: int = 0,
    on_step: Callable[[int], None] = lambda _: None,
) -> np.ndarray:
    """Train a small GPT on Python's own help; the same seed gives the same weights and batches.

    Parameters
    ----------
    blocks : str            One of `KINDS`: how the stack keeps its activations.
    n_steps : int           Optimizer steps (AdamW). [1]
    n_layers, d_model, n_context, batch : int   Shape of the model and of a step.
    learning_rate : float   Constant after a warm-up of 20 steps. [1]
    dtype : torch.dtype     Of weights and activations.
    device : torch.device
    seed : int              Of weights and of the choice of text.
    on_step : callable      Told the number of steps done.

    Returns
    -------
    array of float   Loss before each step. [nats a character]
    """
    codes, characters = text_as_codes()
    if not 2 <= n_context < len(codes):
        raise SpecError(f"A context of 2 to {len(codes) - 1} characters is possible: {n_context}.")
    torch.manual_seed(seed)
    model = GPT(
        n_characters=len(characters),
        n_context=n_context,
        d_model=d_model,
        n_heads=max(1, d_model // 32),
        n_layers=n_layers,
        blocks=blocks,
    ).to(device=device, dtype=dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    source = np.random.default_rng(seed)
    losses = np.empty(n_steps)
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 20)
        starts = source.integers(0, len(codes) - n_context - 1, batch)
        windows = codes[starts[:, None] + np.arange(n_context + 1)]
        loss = model.loss(torch.from_numpy(windows).to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses[step] = loss.item()
        on_step(step + 1)
    return losses
