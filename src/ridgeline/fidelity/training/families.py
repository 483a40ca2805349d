"""Which models and sources are one: cut-down proxies, siblings of equal shape, revised tables."""

from __future__ import annotations

import re

__all__ = ["family_name", "source_family"]

#: names of models, as one: the first that fits
_MODELS = (
    (re.compile(r"bloom-proto.*", re.IGNORECASE), "bloom-proto"),
    # Llama 3 and 3.1 have the same shapes; proxies of fewer layers are their kin.
    (
        re.compile(r"(?:meta-)?llama-3(?:\.1)?-(\d+)b(?:-l\d+)?(?:-instruct)?", re.IGNORECASE),
        "Llama-3-{}B",
    ),
)
_FEWER_LAYERS = re.compile(r"-l\d+(?=-|$)")
_SOURCES = ("mlperf", "nemo", "torchtitan", "korthikanti", "primus")


def family_name(model_id: str) -> str:
    """The model that a run tells of, whatever it is called or cut down to.

    Examples
    --------
    >>> [family_name(m) for m in ("meta-llama/Meta-Llama-3-8B", "llama-3.1-405b-l7", "grok-1-l8")]
    ['Llama-3-8B', 'Llama-3-405B', 'grok-1']
    >>> [family_name(m) for m in ("vtrain-gpt-l12-h1024", "bloom-proto-l78-h13824-a96")]
    ['vtrain-gpt-h1024', 'bloom-proto']
    """
    name = model_id.rpartition("/")[2]
    for pattern, one in _MODELS:
        if found := pattern.fullmatch(name):
            return one.format(*found.groups())
    return _FEWER_LAYERS.sub("", name)


def source_family(source: str) -> str:
    """Revisions and parts of one publication are one source.

    Examples
    --------
    >>> [source_family(s) for s in ("nemo-24.07-rev3", "mlperf-train-v4.1", "vtrain-single")]
    ['nemo', 'mlperf', 'vtrain-single']
    """
    return next((s for s in _SOURCES if source.startswith(s)), source)
