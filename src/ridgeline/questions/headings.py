"""What tables call the quantities that several of them show: one heading and unit for each."""

from __future__ import annotations

from typing import Final

__all__ = ["headings"]

#: key to heading and unit (see `answers.words.quantity`)
_HEADINGS: Final = {
    "machine": ("machine", ""),
    "cluster": ("on", ""),
    "context": ("context", "tokens"),
    "layout": ("layout", ""),
    "n_chips": ("chips", "#"),
    "batch": ("batch", "sequences"),
    "concurrency": ("in flight", "sequences"),
    "largest_batch": ("sequences that fit", "sequences"),
    "ttft_s": ("TTFT", "s"),
    "tpot_s": ("TPOT", "s"),
    "tpot_low_s": ("80% from", "s"),
    "tpot_high_s": ("to", "s"),
    "e2e_s": ("E2E", "s"),
    "time_s": ("step", "s"),
    "time_low_s": ("80% from", "s"),
    "time_high_s": ("to", "s"),
    "compute_s": ("compute", "s"),
    "weight_fetch_s": ("weights", "s"),
    "attention_s": ("attention", "s"),
    "network_s": ("network", "s"),
    "overhead_s": ("overhead", "s"),
    "bound": ("bottleneck", ""),
    "utilization": ("utilization", "%"),
    "tokens_per_s_per_user": ("tok/s per user", "tok/s"),
    "tokens_per_s_per_chip": ("tok/s per chip", "tok/s"),
    "tokens_per_s": ("tok/s", "tok/s"),
    "fits_probability": ("fits", "%"),
    "days": ("days", "1"),
    "usd": ("USD", "USD"),
    "requests_per_s": ("req/s", "1/s"),
    "most_per_s": ("holds up to, requests/s", "1/s"),
    "usd_per_mtok": ("$/Mtok all", "USD/Mtok"),
    "usd_per_mtok_output": ("$/Mtok out", "USD/Mtok"),
    "usd_per_mtok_input": ("$/Mtok in", "USD/Mtok"),
    "usd_per_mtok_cached_input": ("$/Mtok cached", "USD/Mtok"),
    "usd_per_hour": ("$/h", "USD/h"),
    "usd_per_chip_hour": ("price per chip", "USD/h"),
    "price_basis": ("basis", ""),
    "mfu": ("MFU", "%"),
    "mbu": ("MBU", "%"),
    "joule_per_token": ("J/token (TDP)", "1"),
    "tokens_per_s_per_mw": ("tok/s per MW", "tok/s"),
    "power_w": ("TDP of chips", "W"),
    "power_w_per_chip": ("TDP per chip", "W"),
    "memory_bytes_per_chip": ("memory per chip", "B"),
    "misses": ("misses", ""),
    "mark": ("", ""),
    "remark": ("", ""),
}
#: of these a lower bound on time gives the least, and the most
_AT_LEAST: Final = frozenset({
    "ttft_s", "tpot_s", "time_s", "usd_per_mtok", "usd_per_mtok_output", "usd_per_mtok_input",
    "usd_per_mtok_cached_input", "joule_per_token", "days", "usd",
})  # fmt: skip
_AT_MOST: Final = frozenset({
    "tokens_per_s_per_user", "tokens_per_s_per_chip", "requests_per_s", "mfu", "mbu",
    "tokens_per_s_per_mw", "tokens_per_s",
})  # fmt: skip


def headings(*keys: str, bounds: bool = False) -> dict[str, tuple[str, str]]:
    """Headings and units of columns.

    Parameters
    ----------
    keys : str      Of rows, in the order of the columns.
    bounds : bool   Whether times are lower bounds: headings then say on which side the truth lies.

    Returns
    -------
    dict of str to (str, str)   Key to heading and unit, as `answers.Table` takes them.

    Examples
    --------
    >>> headings("batch", "tpot_s", bounds=True)
    {'batch': ('batch', 'sequences'), 'tpot_s': ('TPOT ≥', 's')}
    """
    return {k: (f"{_HEADINGS[k][0]}{_side(k) if bounds else ''}", _HEADINGS[k][1]) for k in keys}


def _side(key: str) -> str:
    return " ≥" if key in _AT_LEAST else " ≤" if key in _AT_MOST else ""
