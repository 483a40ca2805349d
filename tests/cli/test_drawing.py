"""Tables are drawn as rich draws them, which takes thirty times as long."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from ridgeline.answers.columns import GAP, Shown, heading_lines, widths
from ridgeline.cli.drawing import drawn, is_styled

_TEXT = st.text(
    st.one_of(
        st.sampled_from("ab12 .-µ≤…日語é\t\n"),
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    ),
    max_size=18,
)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[list[Shown], list[int], list[bool]]:
    n_rows = draw(st.integers(0, 4))
    cells = st.lists(_TEXT, min_size=n_rows, max_size=n_rows)
    columns = [
        Shown("key", draw(st.text("abc ≤", max_size=9)), draw(st.booleans()), draw(cells))
        for _ in range(draw(st.integers(1, 4)))
    ]
    shares = draw(
        st.one_of(
            st.just(widths(columns, None)),
            st.lists(st.integers(1, 14), min_size=len(columns), max_size=len(columns)),
        )
    )
    faint = draw(st.lists(st.booleans(), min_size=n_rows, max_size=n_rows))
    return columns, [max(share, 1) for share in shares], faint


class _Stream(io.StringIO):
    def __init__(self, *, is_terminal: bool, encoding: str) -> None:
        super().__init__()
        self._about = (is_terminal, encoding)

    def isatty(self) -> bool:
        return self._about[0]

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._about[1]


def _by_rich(columns: list[Shown], shares: list[int], faint: list[bool], below: str) -> str:
    table = Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for column, share in zip(columns, shares, strict=True):
        side = "left" if column.is_text else "right"
        table.add_column(
            heading_lines(column.heading, share), justify=side, width=share, overflow="fold"
        )
    for i, hidden in enumerate(faint):
        table.add_row(*(c.cells[i] for c in columns), style="dim" if hidden else None)
    total = sum(shares) + GAP * len(shares)
    console = Console(markup=False, highlight=False, emoji=False, width=total)
    with console.capture() as captured:
        console.print(table)
        for line in below.splitlines():
            console.print(line, style="dim", soft_wrap=True)
    return "\n".join([*(line.rstrip() for line in captured.get().splitlines()), ""])


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_table_is_as_rich_draws_it(is_terminal: bool, encoding: str) -> None:
    @given(_tables(), st.sampled_from(["", "Also: this (--wide)", "Also: this,\n  that"]))
    def same(table: tuple[list[Shown], list[int], list[bool]], below: str) -> None:
        assert drawn(*table, below) == _by_rich(*table, below)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm")
        patch.setattr("sys.stdout", _Stream(is_terminal=is_terminal, encoding=encoding))
        same()


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("term", ["dumb", "xterm"])
@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
@pytest.mark.parametrize("value", ["", "0", "1"])
def test_styles_are_where_rich_has_them(
    is_terminal: bool, term: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", _Stream(is_terminal=is_terminal, encoding="utf-8"))
    assert is_styled() == (Console().color_system is not None)
