# pyright: reportMissingImports=false
"""Run a function a second time as it ran the first: same randomness, autocast and statistics."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Replay", "uncached_autocast"]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a call must find again to give the same result.

    Attributes
    ----------
    device : torch.device    Where the call's tensors live.
    random : dict or None    State of the CPU's generator and of the device's, before the call;
                             None if the call drew nothing, so that nothing is kept for it.
    autocast : dict          Device type to the arguments of `torch.autocast`.
    training : bool          Whether the module was in training mode.
    """

    device: torch.device
    random: dict[str, torch.Tensor] | None
    autocast: dict[str, dict[str, Any]]
    training: bool

    @contextmanager
    def restored(self, module: nn.Module) -> Iterator[None]:
        """Set the surroundings of the first run; put the present ones back afterwards."""
        with ExitStack() as stack:
            if self.random is not None:
                stack.enter_context(_random_state(self.random, self.device))
            for device_type, arguments in self.autocast.items():
                stack.enter_context(torch.autocast(device_type, **arguments))
            stack.enter_context(_statistics_untouched(module))
            yield


def _generators(device: torch.device) -> dict[str, Any]:
    """Objects with get_rng_state and set_rng_state, the CPU's and the accelerator's."""
    found: dict[str, Any] = {"cpu": torch.random}
    if device.type != "cpu":
        module = torch.get_device_module(device)
        if hasattr(module, "get_rng_state"):
            found[device.type] = module
    return found


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """State of every generator that a call on this device can draw from."""
    return {
        name: source.get_rng_state() if name == "cpu" else source.get_rng_state(device)
        for name, source in _generators(device).items()
    }


def _set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    for name, source in _generators(device).items():
        if name == "cpu":
            source.set_rng_state(states[name])
        else:
            source.set_rng_state(states[name], device)


@contextmanager
def _random_state(states: dict[str, torch.Tensor], device: torch.device) -> Iterator[None]:
    present = random_state(device)
    _set_random_state(states, device)
    try:
        yield
    finally:
        _set_random_state(present, device)


def drawn(before: dict[str, torch.Tensor], device: torch.device) -> bool:
    """Whether anything was drawn since `before`."""
    return any(not torch.equal(s, before[name]) for name, s in random_state(device).items())


def autocast_state(device: torch.device) -> dict[str, dict[str, Any]]:
    """Arguments of `torch.autocast` by device type, with the cache of cast weights off.

    The cache must not be shared between the two runs: a cast made in one graph would be found by
    the other, whose weights would then get no gradient.
    """
    return {
        name: {
            "enabled": torch.is_autocast_enabled(name),
            "dtype": torch.get_autocast_dtype(name),
            "cache_enabled": False,
        }
        for name in dict.fromkeys(("cpu", device.type))
    }


@contextmanager
def uncached_autocast(state: dict[str, dict[str, Any]]) -> Iterator[None]:
    """The present autocast, where there is one, without its cache."""
    with ExitStack() as stack:
        for name, arguments in state.items():
            if arguments["enabled"]:
                stack.enter_context(torch.autocast(name, **arguments))
        yield


@contextmanager
def _statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Keep running means and variances from counting a batch twice."""
    norms = [
        m
        for m in module.modules()
        if isinstance(m, nn.modules.batchnorm._NormBase) and m.training and m.track_running_stats
    ]
    for m in norms:
        m.track_running_stats = False
    try:
        yield
    finally:
        for m in norms:
            m.track_running_stats = True
