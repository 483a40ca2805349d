"""One op of a step, the collective it may be, and what chooses its kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ridgeline.laws._namespace import minimum

__all__ = ["ROLES", "Collective", "Key", "Op", "StepOps", "over_layers"]

#: what an op is in a layer with experts, in the order of `laws.overlap.two_batch_time_s`
ROLES = ("around", "experts", "dispatch", "combine")


def over_layers(repeat: Any, each: Any, stacked: int) -> Any:
    """Add up something that each of `repeat` layers has, over an axis of layers if there is one.

    Parameters
    ----------
    repeat, each : array   How many there are, and what each has.
    stacked : int          Dimensions of `repeat` with the axis of layers, its first; 0 without.

    Returns
    -------
    array   What varies over layers alone is a number: nothing of the stack's dimensions is left.
    """
    if not stacked:
        return repeat * each
    if np.ndim(each) < stacked:
        return np.sum(repeat) * each
    assert np.ndim(each) == stacked, "an axis of the grid that stacking did not know of"
    total = np.sum(repeat * each, axis=0)
    return total.reshape(())[()] if isinstance(total, np.ndarray) and total.size == 1 else total


class Collective(NamedTuple):
    """One collective as a chip sees it.

    Attributes
    ----------
    kind : str             ``all_reduce``, ``all_gather``, ``all_to_all`` or ``hop``.
    group : array          Chips that take part; 1 is no exchange at all. [1]
    payload_bytes : array  Of the whole tensor (all_reduce, reduce_scatter, all_gather), or what a
                           chip sends to others (all_to_all, hop). [bytes]
    n_domains : array      Scale-up domains the group lies in. [1]
    share_across : array   Share of the payload that leaves the chip's domain. [1]
    side : str             Of an all-to-all of experts: ``dispatch`` or ``combine``.
    inside : array         Members of the group in one domain, where its chips are no neighbours;
                           0: as many as a domain holds. [1]
    """

    kind: str
    group: Any
    payload_bytes: Any
    n_domains: Any = 1
    share_across: Any = 0
    side: str = ""
    inside: Any = 0

    @property
    def crosses(self) -> bool:
        """Whether anything leaves its domain, in any case."""
        return bool(np.any(self.n_domains > 1))

    def members(self, domain_size: Any) -> Any:
        """Chips of the group that share a domain. [1]"""
        most = minimum(self.group, domain_size)
        return most if isinstance(self.inside, int) else minimum(most, self.inside)


class Key(NamedTuple):
    """What chooses the kernel of an op: ops with equal keys are timed by one law and constants."""

    kind: str
    part: str
    phase: str
    dtype: str
    collective: str
    side: str


class Op(NamedTuple):
    """A piece of a step on one chip.

    Attributes
    ----------
    kind : str            ``gemm``, ``attention``, ``exchange``, ``elementwise``.
    part : str            The part of the weights, or what the piece belongs to.
    repeat : array        Layers (or times) that have it. [1]
    dtype : str           Storage format of its weights or cache; empty where it has none.
    m, n, k, count : array
        Of a product: tokens, outputs, inputs, matrices. Of attention: queries, what is spread over
        the chip (sequences x KV heads), mean keys a query sees. [1]
    held : array          Of experts: those the chip holds, hit or not. [1]
    stacked : int         Where it stands for layers of like structure: dimensions of `repeat`,
                          those of the grid and one of layers before them. Else 0.
    flops : array         2 x multiply-adds. [FLOP]
    weight_bytes, kv_bytes, activation_bytes : array   Read and written. [bytes]
    phase : str           ``decode``, ``prefill`` or ``draft`` where the op is of one group only; in
                          training ``forward``, ``input_gradient``, ``weight_gradient`` or
                          ``optimizer``.
    role : str            One of `ROLES` in layers with experts; empty elsewhere.
    """

    name: str
    kind: str
    part: str
    repeat: Any = 1
    dtype: str = ""
    m: Any = 0
    n: Any = 0
    k: Any = 0
    count: Any = 1
    flops: Any = 0
    weight_bytes: Any = 0
    kv_bytes: Any = 0
    activation_bytes: Any = 0
    collective: Collective | None = None
    phase: str = ""
    role: str = ""
    held: Any = 0
    stacked: int = 0

    @property
    def key(self) -> Key:
        """What chooses its kernel."""
        send = self.collective
        collective, side = (send.kind, send.side) if send else ("", "")
        return Key(self.kind, self.part, self.phase, self.dtype, collective, side)

    def times(self, each: Any) -> Any:
        """What all repetitions take where one takes `each`: of a stack, all its layers together."""
        return over_layers(self.repeat, each, self.stacked)


class StepOps(NamedTuple):
    """The ops of a step, and those of one of two micro-batches that it may be run in.

    Attributes
    ----------
    whole : tuple of Op   Of the step in one batch.
    half : tuple of Op    Of one half of the tokens, in layers with experts only; empty where no
                          step may be split.
    splits : array        Whether it may be. [bool]
    """

    whole: tuple[Op, ...]
    half: tuple[Op, ...] = ()
    splits: Any = False
