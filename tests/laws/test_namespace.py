"""Plain numbers take a short way to what numpy gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ridgeline.laws._namespace import divide, maximum, minimum, where

_FLOATS = (0.0, -0.0, 1.0, -1.5, 5e-324, 1e308, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("one", _FLOATS)
@pytest.mark.parametrize("other", _FLOATS)
def test_scalars_of_python_give_what_numpy_gives(one: float, other: float) -> None:
    pairs = [
        (minimum(one, other), np.minimum(one, other)),
        (maximum(one, other), np.maximum(one, other)),
        *((where(c, one, other), np.where(c, one, other)[()]) for c in (True, False)),
    ]
    with np.errstate(all="ignore"):
        pairs.append((divide(one, other), np.true_divide(one, other)))
    for found, expected in pairs:
        assert type(found) is float
        assert repr(found) == repr(float(expected))  # signs of zeros, too


def test_whole_numbers_stay_whole() -> None:
    assert (minimum(2, 3), maximum(2, 3), where(True, 2, 3)) == (2, 3, 2)
    assert all(type(x) is int for x in (minimum(2, 3), maximum(2, 3), where(False, 2, 3)))
