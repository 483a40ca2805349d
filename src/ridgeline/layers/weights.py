"""Every weight matrix of a model in depth order, as quantisers and checkpoint files list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.laws.shapes import Product
from ridgeline.layers.binding import block_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.specs.model import Model

__all__ = ["Weights", "weights_of"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's parameters are.

    Attributes
    ----------
    layers : tuple of tuple of Product   The matrices of each layer, in depth order.
    n_vector_params : int                Norms, biases and scales of all layers. [1]
    embedding : Product                  The table, a row of d_model for each token.
    head : Product or None               None where the table serves as head too.
    n_learned_positions : int            Rows of learned positions beside the table. [1]
    n_params_other : int                 Parameters of the model itself that no part covers. [1]
    order : tuple of int                 The block of each layer.
    """

    layers: tuple[tuple[Product, ...], ...]
    n_vector_params: int
    embedding: Product
    head: Product | None
    n_learned_positions: int
    n_params_other: int
    order: tuple[int, ...]

    def matrices(self) -> Iterator[tuple[int, Product]]:
        """Every matrix of the layers with the number of its layer, from 0."""
        for index, products in enumerate(self.layers):
            for product in products:
                yield index, product


def weights_of(model: Model) -> Weights:
    """List a model's weights.

    Parameters
    ----------
    model : Model   Given by its blocks; numeric fields hold numbers, not arrays.

    Returns
    -------
    Weights   Without the multi-token-prediction layers.
    """
    d_model, vocab = model.d_model, model.vocab_size
    assert d_model is not None
    assert vocab is not None
    kinds = [block_layers(block, d_model) for block in model.blocks]
    order = model.order or [i for i, b in enumerate(model.blocks) for _ in range(b.repeat)]
    per_kind = [tuple(p for layer in kind for p in layer.products) for kind in kinds]
    vectors = [sum(layer.n_vector_params for layer in kind) for kind in kinds]
    final = model.n_final_norm_vectors * d_model + model.head_bias * vocab
    return Weights(
        layers=tuple(per_kind[i] for i in order),
        n_vector_params=sum(vectors[i] for i in order) + final,
        embedding=Product("embedding", "embedding", d_model, vocab),
        head=None if model.tied else Product("head", "head", d_model, vocab),
        n_learned_positions=model.n_learned_positions,
        n_params_other=model.n_params_other,
        order=tuple(order),
    )
