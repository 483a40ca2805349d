"""Ciphers and random nets side by side: how each mixes, and what is left of a derivative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.mixing.ciphers.differential import (
    Cipher,
    differential_probability,
    differential_uniformity,
)
from ridgeline.mixing.ciphers.diffusion import avalanche
from ridgeline.mixing.ciphers.feistel import Feistel, Quadratic, simon
from ridgeline.mixing.ciphers.nets import RandomNet
from ridgeline.mixing.ciphers.spn import (
    PRESENT_SBOX,
    aes128,
    aes_sbox,
    present80,
    small_aes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.charts import Chart

__all__ = ["Study", "study"]

#: how nets are wired and how strong their weights are, in the order of every picture
_NETS = (
    ("plain", 1.5),
    ("plain", 1.0),
    ("norm", 1.0),
    ("residual", 1.0),
    ("residual + norm", 1.0),
    ("reversible", 1.0),
)
#: rounds beyond which every picture of a cipher is flat
_SHOWN_ROUNDS = 16
#: inputs a net; each holds hundreds of numbers, so that few give a mean
_N_INPUTS = 32

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Study:
    """Curves and a line a cipher.

    Attributes
    ----------
    summary : list of dict   A row a cipher: ``name``, ``n_bits``, ``n_rounds``, ``share`` after the
                             last round, ``worst_share``, ``full_diffusion_round``.
    uniformity : dict        S-box to its differential uniformity.
    curves : dict            Picture's data by name: rows of ``x``, ``y``, ``series``.
    """

    summary: Rows
    uniformity: dict[str, int]
    curves: dict[str, Rows]

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"summary": self.summary, "uniformity": self.uniformity, **self.curves}

    def last(self, curve: str) -> dict[str, float]:
        """Each series' value after its last round or layer."""
        return {row["series"]: row["y"] for row in self.curves[curve]}

    def chart(self, name: str = "avalanche", *, title: str | None = None) -> Chart:
        """Draw ``avalanche``, ``derivatives`` or ``jacobians``."""
        from ridgeline.charts.mixing import mixing_chart  # noqa: PLC0415  (only when drawn)

        return mixing_chart(self.to_dict(), name, title=title)


#: told what is done: words, done, of
Progress = Callable[[str, int, int], None]

#: beyond these a study takes hours, or more memory than there is
_RANGES = {
    "seed": (0, 2**63 - 1), "n_samples": (1, 65_536), "n_layers": (1, 1024), "n_nets": (1, 1024),
}  # fmt: skip


def _silent(what: str, done: int, of: int) -> None:
    """Report nothing."""


def study(
    *,
    seed: int = 0,
    n_samples: int = 256,
    n_layers: int = 24,
    n_nets: int = 4,
    progress: Progress = _silent,
) -> Study:
    """Compare published ciphers, toys of 16 bits and random transformers.

    Parameters
    ----------
    seed : int        Of blocks, keys, inputs and weights.
    n_samples : int   Pairs of block and key a cipher.
    n_layers : int    Of the nets.
    n_nets : int      Random nets of a kind, averaged.
    progress : callable   Told what is done: words, done, of.

    Returns
    -------
    Study

    Raises
    ------
    SpecError   A number out of range.
    """
    given = {"seed": seed, "n_samples": n_samples, "n_layers": n_layers, "n_nets": n_nets}
    for name, value in given.items():
        low, high = _RANGES[name]
        if not low <= value <= high:
            shown = value if abs(value) < 10**20 else "beyond all range"
            raise SpecError(f"{name} is {shown}; a number from {low} to {high:,} is expected.")
    source = np.random.default_rng(seed)
    summary, avalanches = _avalanches(source, n_samples, progress)
    curves = {
        "cipher_avalanche": avalanches,
        "differentials": _differentials(source, progress),
        **_net_curves(seed, n_layers, n_nets, progress),
    }
    uniformity = {
        "AES": differential_uniformity(aes_sbox()),
        "PRESENT": differential_uniformity(PRESENT_SBOX),
        "linear, 4 bits": differential_uniformity(np.arange(16)),
    }
    return Study(summary, uniformity, curves)


def _toy_feistel(n_bits: int, n_rounds: int) -> Feistel:
    half = n_bits // 2
    return Feistel(f"Feistel, {n_bits} bits", n_bits, n_rounds, Quadratic(1), half * n_rounds)


def _rows(name: str, values: Iterable[float]) -> Rows:
    return [{"x": i, "y": float(v), "series": name} for i, v in enumerate(values)]


def _avalanches(
    source: np.random.Generator, n_samples: int, progress: Progress
) -> tuple[Rows, Rows]:
    ciphers: tuple[Cipher, ...] = (aes128(), present80(), simon(), _toy_feistel(32, 12))
    summary, rows = [], []
    for i, cipher in enumerate(ciphers):
        progress(f"avalanche of {cipher.name}", i + 1, len(ciphers))
        found = avalanche(cipher, source, n_samples=n_samples)
        rows += _rows(cipher.name, found.share[: _SHOWN_ROUNDS + 1])
        summary.append(
            {
                "name": cipher.name,
                "n_bits": cipher.n_bits,
                "n_rounds": cipher.n_rounds,
                "share": float(found.share[-1]),
                "worst_share": float(found.worst_share[-1]),
                "full_diffusion_round": found.full_diffusion_round,
            }
        )
    return summary, rows


def _differentials(source: np.random.Generator, progress: Progress) -> Rows:
    rows = []
    toys = (
        ("linear S-box", small_aes(8, sbox=np.arange(16))),
        ("Feistel", _toy_feistel(16, 8)),
        ("small AES", small_aes(8)),
    )
    for i, (name, cipher) in enumerate(toys):
        progress(f"differentials of {name}", i + 1, len(toys))
        rows += _rows(name, differential_probability(cipher, source))
    return rows


def _net_curves(seed: int, n_layers: int, n_nets: int, progress: Progress) -> dict[str, Rows]:
    measures: dict[str, Callable[..., np.ndarray]] = {
        "net_avalanche": RandomNet.sign_flips,
        "net_changes": RandomNet.relative_changes,
        "jacobians": RandomNet.jacobian_gains,
        "derivative_agreement": RandomNet.derivative_agreement,
    }
    curves: dict[str, Rows] = {name: [] for name in measures}
    for i, (wiring, gain) in enumerate(_NETS):
        progress("random nets", i + 1, len(_NETS))
        nets = [
            RandomNet(wiring, n_layers=n_layers, gain=gain, seed=seed + j) for j in range(n_nets)
        ]
        for name, measured in measures.items():
            source = np.random.default_rng(seed)
            values = np.stack([measured(net, source, n_inputs=_N_INPUTS) for net in nets])
            # Gains spread over decades: their geometric mean is the typical one.
            mean = np.exp(np.log(values).mean(0)) if name == "jacobians" else values.mean(0)
            curves[name] += _rows(f"{wiring}, gain {gain:g}", mean)
    return curves
