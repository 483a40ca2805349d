"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ridgeline.catalog import _entries, _store


@pytest.fixture
def fresh_catalogue() -> Iterator[Callable[[], None]]:
    """Forget what was read of the catalogue, now and after the test."""
    cached = (_store.user_folders, _store.index, _store.aliases, _entries._load)

    def forget() -> None:
        for function in cached:
            function.cache_clear()

    yield forget
    forget()
