"""What is named alike is alike: kernels of other values or other code have other digests."""

from __future__ import annotations

import functools
import importlib
import operator
import sys
from pathlib import Path

import numpy as np
import pytest

from ridgeline.errors import SpecError
from ridgeline.grid import Best, Spread, evaluate
from ridgeline.grid.digest import digest

SOURCE = """
import functools
import numpy as np
import helping
from helping import Base, halved

SCALE = 2.0
TABLE = {"a": [1, 2]}

def plain(axes, more=1.0):
    return {"y": axes["x"] * 3.0 + more}

def by_global(axes):
    return {"y": axes["x"] * SCALE + TABLE["a"][1]}

def helper(x):
    return x + 1.0 if x is not None else again(x)

def again(x):
    return helper(x)

def by_helper(axes):
    return {"y": helper(axes["x"])}

def inner(axes):
    return {"y": sum(x * 5.0 for x in axes["x"])}

def by_import(axes):
    return {"y": halved(axes["x"])}

def by_module(axes):
    return {"y": helping.doubled(axes["x"])}

def wrapped(function):
    @functools.wraps(function)
    def found(axes):
        return function(axes)
    return found

@wrapped
def decorated(axes):
    return {"y": np.sin(axes["x"])}

@functools.lru_cache
def cached(axes):
    return {"y": np.floor(axes["x"])}

class Called(Base):
    gain = 7.0

    def __call__(self, axes):
        return {"y": self.run(axes["x"]) * self.gain}

    def run(self, x):
        return x - 11.0

    @property
    def odd(self):
        return 13.0
"""
HELPING = """
def halved(x):
    return x / 17.0

def doubled(x):
    return x * 19.0

class Base:
    def based(self):
        return 23.0
"""
NAMES = (
    "plain", "by_global", "by_helper", "inner", "by_import", "by_module", "decorated", "cached",
    "Called",
)  # fmt: skip


def digests(source: str, helping: str = HELPING) -> dict[str, str]:
    """Of the kernels of modules with such a text, freshly imported."""
    for name, text in (("helping", helping), ("kernels_of_a_user", source)):
        sys.modules.pop(name, None)
        Path(name + ".py").write_text(text)
        for old in Path().glob("__pycache__/*"):
            old.unlink()
        importlib.invalidate_caches()
        importlib.import_module(name)
    module = sys.modules["kernels_of_a_user"]
    found = {name: digest(getattr(module, name)) for name in NAMES}
    found["instance"] = digest(module.Called())
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("helping", "kernels_of_a_user"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("old", "new", "differing"),
    [
        ("* 3.0", "* 4.0", {"plain"}),
        ("more=1.0", "more=2.0", {"plain"}),
        ("SCALE = 2.0", "SCALE = 3.0", {"by_global"}),
        ("[1, 2]", "[1, 3]", {"by_global"}),
        ("x + 1.0", "x + 2.0", {"by_helper"}),
        ("x * 5.0", "x * 6.0", {"inner"}),
        ("np.sin", "np.cos", {"decorated"}),
        ("np.floor", "np.ceil", {"cached"}),
        ("gain = 7.0", "gain = 8.0", {"Called", "instance"}),
        ("x - 11.0", "x - 12.0", {"Called", "instance"}),
        ("return 13.0", "return 14.0", {"Called", "instance"}),
        ("x / 17.0", "x / 18.0", {"by_import"}),
        ("x * 19.0", "x * 20.0", {"by_module"}),
        ("return 23.0", "return 24.0", {"Called", "instance"}),
        ("import functools\n", "import functools  # said otherwise\n\n\n", set()),
    ],
)
def test_what_is_edited_has_another_digest_and_nothing_else(old, new, differing) -> None:
    first = digests(SOURCE)
    assert len(set(first.values())) == len(first)
    assert digests(SOURCE) == first
    assert (old in SOURCE) + (old in HELPING) == 1
    second = digests(SOURCE.replace(old, new), HELPING.replace(old, new))
    assert {name for name in first if first[name] != second[name]} == differing


class Scaled:
    def __init__(self, by: float) -> None:
        self.by = by

    def run(self, axes):
        return {"y": axes["x"] * self.by}

    def walk(self, axes):
        return {"y": axes["x"] + self.by}

    @functools.cached_property
    def table(self):
        return np.arange(3)


class Slotted:
    __slots__ = ("by",)


class Mixed(Slotted):
    def __init__(self, by: float) -> None:
        self.by = by
        self.other = 1


def test_bound_methods_are_told_by_what_they_are_bound_to() -> None:
    kernels = [Scaled(1.0).run, Scaled(2.0).run, Scaled(1.0).walk]
    assert len({digest(kernel) for kernel in kernels}) == 3
    assert digest(Scaled(1.0).run) == digest(kernels[0])
    assert len({digest(np.sin), digest(np.cos), digest(np.mean), digest(np.median)}) == 4
    assert digest([1].append) != digest([2].append)
    assert digest(Mixed(1.0)) != digest(Mixed(2.0))


def test_resuming_with_another_bound_method_is_refused(tmp_path: Path) -> None:
    axes = [{"x": np.arange(4.0)}]
    with Spread(resume=tmp_path) as spread:
        evaluate(Scaled(1.0).run, axes, spread=spread)
    with pytest.raises(SpecError, match="What differs: what is evaluated"):
        evaluate(Scaled(-5.0).run, axes, spread=Spread(resume=tmp_path))
    again = evaluate(Scaled(1.0).run, axes, spread=Spread(resume=tmp_path))
    assert again["y"].tolist() == [0, 1, 2, 3]


def test_use_does_not_change_a_digest() -> None:
    scaled = Scaled(2.0)
    before = digest([scaled, scaled.run])
    for _ in range(100):  # what runs often is specialised
        scaled.run({"x": 1.0})
    assert scaled.table.size == 3
    assert digest([scaled, scaled.run]) == before


def test_what_cannot_be_told_from_others_is_refused() -> None:
    inside: list = []
    inside.append(inside)
    for value in (
        (1).__add__,
        str.upper,
        operator.itemgetter("a"),
        np.random.default_rng(0).normal,
    ):
        with pytest.raises(SpecError, match="cannot be told from others"):
            digest(value)
    with pytest.raises(SpecError, match="contains itself"):
        digest(inside)
    assert digest(Best("x")) != digest(Best("x", 2))
