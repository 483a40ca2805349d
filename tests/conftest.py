"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from ridgeline.catalog import _copies, _entries, _store

# What is printed must not depend on the screen that the tests are run in.
os.environ.pop("COLUMNS", None)

# A slow machine is no failure, and a passing suite passes again; --hypothesis-profile=explore looks
# for new examples.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("repeatable")


@pytest.fixture
def fresh_catalogue() -> Iterator[Callable[[], None]]:
    """Forget what was read of the catalogue, now and after the test."""
    cached = (
        _store.user_folders,
        _store.index,
        _store._stated_id,
        _store.other_names,
        _store.aliases,
        _store._by_words,
        _copies.bases,
        _entries.loaded,
    )

    def forget() -> None:
        for function in cached:
            function.cache_clear()

    yield forget
    forget()
