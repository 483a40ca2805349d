"""How tensor parallelism cuts products, and which of them run as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.parallel import kv_share_per_chip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.laws.shapes import Product

__all__ = ["cut", "fused", "named"]


def cut(product: Product, tp: Any, n_kv_heads: Any) -> tuple[Any, Any, Any]:
    """Inputs, outputs and copies one tensor-parallel chip holds."""
    k, n, count = product.k, product.n, product.count
    if product.split == "n":
        n = n / tp
    elif product.split == "kv":
        n = n * kv_share_per_chip(n_kv_heads, tp)
    elif product.split == "k":
        k = k / tp
    elif product.split == "count":
        count = count / tp
    return k, n, count


def fused(products: tuple[Product, ...]) -> Iterator[list[Product]]:
    """Neighbours that multiply the same input run as one product: q, k and v; gate and up."""
    run: list[Product] = []
    for product in products:
        if run and not (_same_input(run[-1], product)):
            yield run
            run = []
        run.append(product)
    if run:
        yield run


def _same_input(a: Product, b: Product) -> bool:
    cut_by_input = {"k", "count"}
    alike = a.part == b.part and a.split not in cut_by_input and b.split not in cut_by_input
    return alike and (a.k is b.k or (np.ndim(a.k) == np.ndim(b.k) == 0 and a.k == b.k))


def named(run: list[Product]) -> Product:
    """One product for those that run together."""
    return run[0]._replace(name="+".join(product.name for product in run))
