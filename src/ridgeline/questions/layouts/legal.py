"""Every layout of a number of chips that engines could run, and why the others could not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from ridgeline.specs.blocks import Attention, Dense, MixtureOfExperts
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ridgeline.specs.blocks import Block
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.model import Model

__all__ = ["Refusal", "legal_layouts"]

#: stages so unequal that more of them than this would idle are not worth a look
_MOST_IDLE = 0.1
#: block-quantised weights cannot be cut finer than their blocks
_BLOCK_OF = {"fp8-block": 128}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A family of layouts that cannot be.

    Attributes
    ----------
    degree : str   ``tp``, ``pp``, ``ep`` or ``attn_dp``.
    value : int    Of the degree.
    reason : str   Why not, in words.
    """

    degree: str
    value: int
    reason: str


def legal_layouts(
    model: Model, sizes: Iterable[int], *, whole: bool = True, engine: Engine | None = None
) -> tuple[list[Layout], list[Refusal]]:
    """Enumerate layouts.

    Parameters
    ----------
    model : Model          By its shape.
    sizes : iterable of int   Numbers of chips.
    whole : bool           Each number is all there is, to be filled with replicas; otherwise it is
                           the size of one replica.
    engine : Engine or None   That is to run them; None for one that has every layout.

    Returns
    -------
    layouts : list of Layout     In a stable order, each once.
    refusals : list of Refusal   A line a value of a degree that nothing can be built with.

    Notes
    -----
    ``replicas x pp x attn_dp x tp`` is the number of chips. Tensor parallelism divides heads, KV
    heads (or they it) and feed-forward widths; pipeline stages leave at most a tenth of themselves
    idle; experts are spread over 1, a power of two, or all chips of a stage. Attention data
    parallelism is for sparse models (without experts it is the same as replicas), and then experts
    are spread at least as wide as it, or cut over all chips, as engines do.
    """
    rules = _Rules(model, engine)
    found: dict[tuple[int, ...], Layout] = {}
    for n_chips in sizes:
        for replicas in _divisors(n_chips) if whole else [1]:
            for degrees in rules.degrees(n_chips // replicas):
                found.setdefault((replicas, *degrees), _layout(replicas, *degrees))
    return list(found.values()), rules.refusals()


@lru_cache(maxsize=1 << 14)
def _layout(replicas: int, pp: int, attn_dp: int, tp: int, ep: int) -> Layout:
    return Layout(replicas=replicas, pp=pp, attn_dp=attn_dp, tp=tp, ep=ep)


@cache
def _divisors(n: int) -> tuple[int, ...]:
    low = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return tuple(sorted({*low, *(n // d for d in low)}))


class _Rules:
    """What a model's shape allows, remembered by value of each degree."""

    def __init__(self, model: Model, engine: Engine | None) -> None:
        self.model, self.engine = model, engine
        self.sparse = [b.ffn for b in model.blocks if isinstance(b.ffn, MixtureOfExperts)]
        self.n_layers = sum(b.repeat for b in model.blocks)
        self._experts = {
            (b.ffn.d_ff, _format(model, b, "experts"))
            for b in model.blocks
            if isinstance(b.ffn, MixtureOfExperts)
        }
        self._sliced: dict[int, bool] = {}
        self._said: dict[tuple[str, int], str] = {}
        self._built: set[tuple[str, int]] = set()
        self._lacking: dict[tuple[str, int], str] = {}

    def refusals(self) -> list[Refusal]:
        """What was refused wherever it came up."""
        lacking = {key: why for key, why in self._lacking.items() if key not in self._built}
        return [Refusal(*key, why) for key, why in sorted((self._said | lacking).items()) if why]

    def degrees(self, n_chips: int) -> Iterable[tuple[int, int, int, int]]:
        """(pp, attn_dp, tp, ep) of one replica."""
        for pp in _divisors(n_chips):
            if not self._may("pp", pp):
                continue
            stage = n_chips // pp
            for tp in _divisors(stage) if self.sparse else [stage]:
                attn_dp = stage // tp
                if not self._may("tp", tp):
                    continue
                for ep in self._spreads(attn_dp, tp):
                    if self._engine_has(pp=pp, attn_dp=attn_dp, tp=tp, ep=ep):
                        yield pp, attn_dp, tp, ep

    def _engine_has(self, **degrees: int) -> bool:
        why = self.engine.cannot_run(**degrees) if self.engine else ""
        if why:
            self._lacking |= dict.fromkeys(degrees.items(), why)
        else:
            self._built |= {*degrees.items()}
        return not why

    def _spreads(self, attn_dp: int, tp: int) -> Iterable[int]:
        if not self.sparse:
            return [1]
        stage = attn_dp * tp
        spread = [e for e in _divisors(stage) if e in (1, stage) or e & (e - 1) == 0]
        usual = [e for e in spread if e == 1 or e % attn_dp == 0]
        return [e for e in usual if self._may("ep", e) and self._slices(stage // e)]

    def _may(self, degree: str, value: int) -> bool:
        key = (degree, value)
        why = self._said.get(key)
        if why is None:
            why = self._said[key] = getattr(self, f"_not_{degree}")(value)
        return not why

    def _not_pp(self, pp: int) -> str:
        if pp > self.n_layers:
            return f"{pp} stages are more than the {self.n_layers} layers"
        fullest = -(-self.n_layers // pp)
        idle = 1 - self.n_layers / (fullest * pp)
        if idle > _MOST_IDLE:
            return (
                f"{self.n_layers} layers over {pp} stages are {fullest} on the fullest: "
                f"{idle:.0%} of the chips' time would be idle"
            )
        return ""

    def _not_tp(self, tp: int) -> str:
        for block in self.model.blocks:
            why = _mixer_refuses(block, tp) or _dense_refuses(self.model, block, tp)
            if why:
                return why
        return ""

    def _not_ep(self, ep: int) -> str:
        fewest = min(moe.n_experts for moe in self.sparse)
        return f"{ep} chips are more than the {fewest} experts of a layer" if ep > fewest else ""

    def _slices(self, ways: int) -> bool:
        if ways not in self._sliced:
            self._sliced[ways] = all(_cuts(d_ff, ways, dtype) for d_ff, dtype in self._experts)
        return self._sliced[ways]


def _mixer_refuses(block: Block, tp: int) -> str:
    n_heads = getattr(block.mixer, "n_heads", None) or getattr(block.mixer, "n_v_heads", None)
    if n_heads and n_heads % tp:
        return f"it does not divide the {n_heads} attention heads"
    if isinstance(block.mixer, Attention):
        n_kv = block.mixer.n_kv_heads
        if n_kv % tp and tp % n_kv:
            return f"neither of it and the {n_kv} KV heads divides the other"
    return ""


def _dense_refuses(model: Model, block: Block, tp: int) -> str:
    if isinstance(block.ffn, Dense) and not _cuts(block.ffn.d_ff, tp, _format(model, block, "ffn")):
        return f"it does not cut the feed-forward width {block.ffn.d_ff:,}"
    return ""


def _format(model: Model, block: Block, part: str) -> str:
    # Parts are literals of the records' keys; any string may be asked for.
    own: Sequence[dict] = (block.dtypes, model.dtypes)  # pyright: ignore[reportMissingTypeArgument]
    return next((d[part] for d in own if part in d), model.weight_dtype)


def _cuts(width: int, ways: int, dtype: str) -> bool:
    return width % (ways * _BLOCK_OF.get(dtype, 1)) == 0 or ways == 1
