"""Random nets read as mixing machines: what a changed input does, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ridgeline.errors import SpecError, did_you_mean

__all__ = ["WIRINGS", "RandomNet"]

#: how branches are joined: name -> (residual, normalised)
WIRINGS: Final = {
    "plain": (False, False),
    "norm": (False, True),
    "residual": (True, False),
    "residual + norm": (True, True),
    "reversible": (True, True),
}
_BRANCHES: Final = ("mlp", "transformer")


@dataclass(frozen=True)
class RandomNet:
    """A net with random weights whose layers mix tokens and features.

    Attributes
    ----------
    wiring : str            One of `WIRINGS`: ``x = f(x)``, ``f(norm x)``, ``x + f(x)``,
                            ``x + f(norm x)``, or the reversible form of the last on two halves.
    branches : str          ``transformer``: attention and a feed-forward layer by turns; ``mlp``:
                            two feed-forward layers; no token sees another, so give it one.
    n_layers : int          Layers of two branches each.
    n_tokens, d_model : int Shape of the state (of each half).
    gain : float            Standard deviation of weights is gain / sqrt(inputs). [1]
    seed : int              Of the weights.

    Notes
    -----
    With tanh, no residual and gain above 1 a net is chaotic: differences grow with every layer.

    References
    ----------
    .. [1] Poole et al., "Exponential expressivity in deep neural networks through transient chaos",
       2016.

    Examples
    --------
    >>> net = RandomNet("residual + norm", n_layers=3)
    >>> [s.shape for s in net.states(np.ones((2, *net.shape)))]
    [(2, 8, 32), (2, 8, 32), (2, 8, 32), (2, 8, 32)]
    """

    wiring: str
    branches: str = "transformer"
    n_layers: int = 24
    n_tokens: int = 8
    d_model: int = 32
    gain: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("wiring", self.wiring, tuple(WIRINGS)),
            ("branches", self.branches, _BRANCHES),
        ):
            if value not in known:
                raise SpecError(
                    f"There is no {name} {value!r}.{did_you_mean(value, known)} "
                    f"There are {', '.join(known)}."
                )

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens and numbers a token; a reversible net holds both halves side by side."""
        return self.n_tokens, self.d_model * (2 if self.wiring == "reversible" else 1)

    def states(self, x: np.ndarray) -> list[np.ndarray]:
        """The state before the first layer and after each.

        Parameters
        ----------
        x : array (n, tokens, numbers)   Real, or complex for derivatives.
        """
        source = np.random.default_rng(self.seed)
        states = [x]
        for _ in range(self.n_layers):
            x = self._layer(x, self._weights(source))
            states.append(x)
        return states

    def _weights(self, source: np.random.Generator) -> list[np.ndarray]:
        d = self.d_model
        shapes = [(d, d)] * 4 + [(d, 4 * d), (4 * d, d)] + [(d, 4 * d), (4 * d, d)]
        return [source.normal(0, self.gain / np.sqrt(s[0]), s) for s in shapes]

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Input of a reversible net from its last state, up to rounding.

        Raises
        ------
        SpecError   Another wiring, which forgets its input.
        """
        if self.wiring != "reversible":
            raise SpecError(f"A net wired {self.wiring!r} has no inverse; only 'reversible' has.")
        source = np.random.default_rng(self.seed)
        for w in reversed([self._weights(source) for _ in range(self.n_layers)]):
            y1, y2 = np.split(y, 2, axis=-1)
            x2 = y2 - self._branch(y1, w[4:6], "mlp")
            y = np.concatenate([y1 - self._branch(x2, w, self.branches), x2], axis=-1)
        return y

    def _branch(self, x: np.ndarray, w: list[np.ndarray], kind: str) -> np.ndarray:
        x = _normed(x) if WIRINGS[self.wiring][1] else x
        return _attended(x, w[:4]) if kind == "transformer" else _fed(x, w[-2:])

    def _layer(self, x: np.ndarray, w: list[np.ndarray]) -> np.ndarray:
        if self.wiring == "reversible":
            x1, x2 = np.split(x, 2, axis=-1)
            y1 = x1 + self._branch(x2, w, self.branches)
            return np.concatenate([y1, x2 + self._branch(y1, w[4:6], "mlp")], axis=-1)
        residual = WIRINGS[self.wiring][0]
        for kind, weights in ((self.branches, w), ("mlp", w[4:6])):
            added = self._branch(x, weights, kind)
            x = x + added if residual else added
        return x

    def inputs(self, source: np.random.Generator, n: int) -> np.ndarray:
        """Random inputs, standard normal."""
        return source.normal(size=(n, *self.shape))

    def sign_flips(self, source: np.random.Generator, *, n_inputs: int = 64) -> np.ndarray:
        """Share of signs that change when one number of the input changes its sign, by layer.

        The nets' counterpart of a cipher's avalanche: 1/2 where nothing of the input is left.
        """
        x = self.inputs(source, n_inputs)
        pairs = zip(self.states(x), self.states(_flipped(x, source)), strict=True)
        return np.array([((a < 0) != (b < 0)).mean() for a, b in pairs])

    def relative_changes(self, source: np.random.Generator, *, n_inputs: int = 64) -> np.ndarray:
        """Size of the change over the size of the state for such a flip, by layer."""
        x = self.inputs(source, n_inputs)
        pairs = zip(self.states(x), self.states(_flipped(x, source)), strict=True)
        return np.array([_size(b - a) / _size(a) for a, b in pairs])

    def derivatives(self, x: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
        """Jacobian times v at x, after each layer, exact to rounding.

        By a complex step: the imaginary part of f(x + i h v) / h, which subtracts nothing, so h can
        be far below rounding.

        References
        ----------
        .. [1] Squire and Trapp, "Using complex variables to estimate derivatives of real
           functions", 1998.
        """
        h = 1e-30
        return [np.imag(s) / h for s in self.states(x + 1j * h * v)]

    def jacobian_gains(self, source: np.random.Generator, *, n_inputs: int = 64) -> np.ndarray:
        """Root mean square of |J v| / |v| over random directions, by layer: |J|_F / sqrt(n)."""
        x, v = self.inputs(source, n_inputs), self.inputs(source, n_inputs)
        return np.array([_size(d) / _size(v) for d in self.derivatives(x, v)])

    def derivative_agreement(
        self, source: np.random.Generator, *, n_inputs: int = 64
    ) -> np.ndarray:
        """Cosine between J(x) v and J(x') v at unrelated inputs, by layer, mean over pairs.

        1 for a linear map, as over GF(2) the one difference of a linear cipher; 0 where a
        derivative at one input says nothing of another.
        """
        v = self.inputs(source, n_inputs)
        here = self.derivatives(self.inputs(source, n_inputs), v)
        there = self.derivatives(self.inputs(source, n_inputs), v)
        return np.array([_cosine(a, b).mean() for a, b in zip(here, there, strict=True)])


def _flipped(x: np.ndarray, source: np.random.Generator) -> np.ndarray:
    out = x.reshape(len(x), -1).copy()
    rows = np.arange(len(x))
    at = source.integers(0, out.shape[1], len(x))
    out[rows, at] *= -1
    return out.reshape(x.shape)


def _size(x: np.ndarray) -> float:
    return float(np.sqrt((np.abs(x) ** 2).mean()))


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    # Scaled first: a vanishing Jacobian has a direction all the same.
    a = a / np.maximum(np.abs(a).max(axis=1, keepdims=True), 1e-300)
    b = b / np.maximum(np.abs(b).max(axis=1, keepdims=True), 1e-300)
    return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


# No absolute values and no comparisons below: complex steps go through analytic functions only.


def _normed(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-12)


def _fed(x: np.ndarray, w: list[np.ndarray]) -> np.ndarray:
    return np.tanh(x @ w[0]) @ w[1]


def _attended(x: np.ndarray, w: list[np.ndarray]) -> np.ndarray:
    q, k, v = x @ w[0], x @ w[1], x @ w[2]
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(x.shape[-1])
    shares = np.exp(scores - np.real(scores).max(axis=-1, keepdims=True))
    return (shares / shares.sum(axis=-1, keepdims=True)) @ v @ w[3]
