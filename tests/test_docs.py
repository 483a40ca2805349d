"""Every command and every Python block in README and docs runs, and prints what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import ridgeline as rl
from ridgeline.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _blocks(kind: str):
    for page in PAGES:
        for i, match in enumerate(BLOCK.finditer(page.read_text())):
            if match[1] == kind:
                yield pytest.param(match[2], id=f"{page.stem}-{i}")


def _commands(block: str) -> list[tuple[str, list[str]]]:
    """Split a console block into commands and the lines they are said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line.rstrip())
    return found


def _agrees(expected: list[str], printed: list[str]) -> bool:
    """A line ``…`` stands for any number of lines."""
    ways = {0}  # how many printed lines may be used up so far
    for line in expected:
        if line == "…":
            ways = set(range(min(ways), len(printed) + 1))
        else:
            ways = {n + 1 for n in ways if n < len(printed) and printed[n] == line}
        if not ways:
            return False
    return len(printed) in ways


def test_a_row_of_dots_stands_for_any_lines() -> None:
    printed = ["a", "b", "c"]
    assert _agrees(["a", "…"], printed)
    assert _agrees(["…", "c"], printed)
    assert _agrees(["a", "…", "b", "c", "…"], printed)
    assert not _agrees(["a", "…", "b"], printed)
    assert not _agrees(["b", "…"], printed)
    assert not _agrees(["…", "d", "…"], printed)


@pytest.mark.parametrize("block", list(_blocks("console")))
def test_commands(block: str, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(
        '{"model_type": "qwen3", "hidden_size": 2048, "intermediate_size": 6144, '
        '"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, '
        '"head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": true}'
    )
    for command, expected in _commands(block):
        words = shlex.split(command)
        assert words[0] == "ridgeline"
        assert main(words[1:]) == 0
        printed = [x.rstrip() for x in capsys.readouterr().out.rstrip().splitlines()]
        while expected and not expected[-1]:
            expected.pop()
        if expected:
            assert _agrees(expected, printed), "\n".join(printed)


@pytest.mark.parametrize("block", list(_blocks("python")))
def test_python(block: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


TOML = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if TOML.search(p.read_text())], ids=lambda p: p.stem
)
def test_records_written_by_hand(page: Path, tmp_path: Path, capsys) -> None:
    for match in TOML.finditer(page.read_text()):
        path = tmp_path / "mine.toml"
        path.write_text(match[1])
        if "[[rent]]" in match[1]:
            priced = ["serving", "Qwen/Qwen3-8B", "--on", "hgx-h200", "--prices", str(path)]
            assert main(priced) == 0
            assert "as given" in capsys.readouterr().out
            continue
        assert main(["serving", str(path), "--on", "h100-sxm"]) == 0
        assert main(["models", str(path)]) == 0


def test_figures_of_chips_beside_the_lecture_are_those_of_the_catalogue() -> None:
    """Ratios and drain periods that docs/blackboard.md names, chip by chip."""
    rows = {r["id"].split("-")[0]: r for r in rl.generations().table("chips").rows}
    lines = (ROOT / "docs/blackboard.md").read_text().splitlines()
    (ratios,) = [x for x in lines if x.startswith("| R is about 300")]
    (drains,) = [x for x in lines if x.startswith("| HBM drains")]
    ratios, drains = ratios.split("|")[2], drains.split("|")[2]
    said = {name.lower(): float(r) for name, r in re.findall(r"(G?[ABH]\d{2,3}) (\d+)", ratios)}
    for name, ratio in said.items():
        assert ratio == round(rows[name]["ratio"]), name
    assert set(said) == {"h100", "b200", "gb200", "a100", "h200"}
    rubin = rl.chip("vr200")
    per_flop = rows["vr200"]["ratio_fp4"] / rubin.peak["fp4"]
    most = rubin.sources["peak.fp4"].high
    assert most is not None
    assert f"Rubin at fp4 {per_flop * rubin.peak['fp4']:.0f} or {per_flop * most:.0f} " in ratios
    times = dict(re.findall(r"(\d+) on (?:the 80 GB )?(\w+)", drains.replace(" ms", "")))
    chips = {"H100": "h100", "B200": "b200", "Rubin": "vr200", "H200": "h200", "A100": "a100"}
    assert {v: int(k) for k, v in times.items()} == {
        name: round(rows[key]["drain_s"] * 1e3) for name, key in chips.items()
    }
