"""Cells of tables of training runs that say more than a number or a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.fidelity.measurements.resolve import Resolver
    from ridgeline.specs.model import Model

__all__ = ["bare", "model_of"]

#: a number with a remark behind it
_REMARKED = re.compile(r"(\d+) \((.+)\)")
#: a model of which only the first layers were run
_CUT = re.compile(r"(.+?) cut to (\d+) layers")


def bare(column: str, text: str, said: list[str]) -> str:
    """A number without what a table says of it: ``4096 (default)``."""
    found = _REMARKED.fullmatch(text.strip())
    if found is None:
        return text
    said.append(f"{column} {found[1]}: {found[2]}")
    return found[1]


def model_of(name: str, resolver: Resolver) -> Model:
    """A model by name, or the first layers of one: ``DeepSeek-V3 cut to 4 layers``."""
    cut = _CUT.fullmatch(name.strip())
    if cut is None:
        return resolver.model(name, "", "")
    whole, n = resolver.model(cut[1], "", ""), int(cut[2])
    depths = whole.order or tuple(i for i, b in enumerate(whole.blocks) for _ in range(b.repeat))
    kept = depths[:n]
    blocks = tuple(
        block.model_copy(update={"repeat": kept.count(i)}) for i, block in enumerate(whole.blocks)
    )
    used = [i for i, block in enumerate(blocks) if block.repeat]
    return whole.model_copy(
        update={
            "id": f"{whole.id}-l{n}",
            "blocks": tuple(blocks[i] for i in used),
            "order": tuple(used.index(i) for i in kept),
            "mtp": (),
        }
    )
