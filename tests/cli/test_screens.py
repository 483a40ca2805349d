"""What fits a screen: no line is longer, no number is broken, the main columns stay."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

import pytest

from ridgeline.cli import main, output
from ridgeline.cli.screen import screen_width, wrapped

if TYPE_CHECKING:
    from pathlib import Path

V3 = ("deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72")
QWEN = ("Qwen/Qwen3-8B", "--on", "1xh100-sxm")
LENGTHS = ("--isl", "1024", "--osl", "256")
WIDTHS = (40, 80, 120)

#: commands, whether their screens are kept as pictures, and headings that 80 columns must show
COMMANDS: dict[str, tuple[tuple[str, ...], bool, tuple[str, ...]]] = {
    "serving": (("serving", *QWEN), True,
                ("batch", "step", "user", "chip", "$/Mtok", "bottleneck", "memory")),
    "serving-requests": (("serving", *QWEN, *LENGTHS), True,
                         ("batch", "TTFT", "TPOT", "user", "$/Mtok", "bottleneck")),
    "serving-machines": (("serving", "Qwen/Qwen3-8B", "--on", "1xh100-sxm,1xmi300x", *LENGTHS),
                         True, ("machine", "TTFT", "TPOT", "$/Mtok", "bottleneck")),
    "serving-explain": (("serving", *QWEN, "--batch", "8", "--explain"), False, ("batch",)),
    "rate": (("serving", *QWEN, *LENGTHS, "--rate", "20"), False, ("layout", "TPOT", "$/Mtok")),
    "layouts": (("layouts", "Qwen/Qwen3-32B", "--on", "hgx-h100", *LENGTHS, "--top", "5"), True,
                ("layout", "flight", "TTFT", "TPOT", "user", "$/Mtok")),
    "no-layout": (("layouts", "Qwen/Qwen3-32B", "--on", "hgx-h100", *LENGTHS, "--tpot", "1"),
                  False, ("layout", "TPOT")),
    "training": (("training", "meta-llama/Meta-Llama-3-70B", "--on", "16xhgx-h100", "--tp", "4",
                  "--pp", "8", "--vp", "2", "--reading", "ideal", "--tokens", "2T"), True,
                 ("part", "share", "utilization", "memory per chip", "payload", "chip-hours")),
    "training-explain": (("training", *QWEN[:2], "4xhgx-h100", "--tp", "2", "--pp", "2",
                          "--tokens", "1T", "--explain"), False, ("hidden", "exposed")),
    "budget": (("budget", "--active", "100B", "--inference-tokens", "200T"), True,
               ("tokens", "cost", "active", "saves")),
    "scaling": (("scaling", "meta-llama/Meta-Llama-3.1-405B", "--on", "2048xhgx-h100", "--seq",
                 "8192", "--global-batch", "2048", "--tp", "8", "--cp", "2", "--pp", "16", "--vp",
                 "7", "--tokens", "15T", "--reading", "ideal"), True,
                ("chips", "step", "MFU", "bound", "soonest")),
    "training-machines": (("training", "Qwen/Qwen3-8B", "--on", "hgx-h100,hgx-b200,mi300x-8",
                           "--tp", "2", "--reading", "ideal"), True, ("machine", "step", "MFU")),
    "training-sensitivity": (("training", "Qwen/Qwen3-8B", "--on", "hgx-h100", "--tp", "2",
                              "--reading", "ideal", "--sensitivity"), False, ("what", "ln")),
    "training-search": (("training", "Qwen/Qwen3-8B", "--on", "hgx-h100", "--global-batch", "64",
                         "--cp", "1", "--order", "tp,cp,dp,pp", "--search", "--top", "5"), True,
                        ("layout", "step", "MFU", "headroom")),
    "no-training-layout": (("training", "meta-llama/Meta-Llama-3-70B", "--on", "hgx-h100",
                            "--global-batch", "64", "--cp", "1", "--search"), False,
                           ("layout", "step", "headroom")),
    "rl-step": (("rl-step", "Qwen/Qwen3-30B-A3B", "--on", "4xhgx-h100", "--off-policy", "1",
                 "--osl", "256:8k@mean=3k", "--reading", "ideal"), False, ("part", "phase")),
    "tiers": (("tiers", *V3, "--reading", "blackboard"), False, ("tier", "price", "$/Mtok")),
    "sparsity": (("sparsity", *V3), False, ("parameters", "floor")),
    "racks": (("racks", *V3), False, ("domains", "scale-out")),
    "pipelining": (("pipelining", *V3), False, ("stages", "token")),
    "scaleup": (("scaleup", *V3), False, ("chips", "context")),
    "generations": (("generations",), False, ("chip", "drain", "bf16")),
    "wall": (("wall", *V3, "--tpot", "20ms"), True, ("attention", "balance")),
    "design": (("design", "--on", "gb200-nvl72", "--tpot", "20ms", "--context", "128k"), True,
               ("model", "largest", "KV read", "verdict")),
    "sensitivity": (("sensitivity", *V3, "--reading", "blackboard"), False, ("what", "ln")),
    "chips": (("chips", "hopper"), True, ("chip", "memory", "bandwidth", "bf16")),
    "chip": (("chips", "gb200-nvl72"), False, ("source",)),
    "models": (("models", "gpt-oss"), True, ("model", "params", "active", "weights")),
    "model": (("models", "openai/gpt-oss-20b"), False, ("mixer",)),
    "model-pair": (("models", "openai/gpt-oss-20b", "google/gemma-3-1b-it"), False, ()),
}  # fmt: skip

#: a broken number would be two that the unlimited screen does not have
_NUMBER = re.compile(r"\d[\d,.]*")


@pytest.fixture
def screens(monkeypatch, capsys):
    """Run a command once, and render all that it shows at every width."""

    def call(*arguments: str) -> dict[int | None, str]:
        shown: dict[int | None, list[str]] = {w: [] for w in (*WIDTHS, None)}

        def put(render) -> None:
            for width, texts in shown.items():
                texts.append(render(width))

        monkeypatch.setattr(output, "_put", put)
        assert main(list(arguments)) == 0
        capsys.readouterr()
        return {width: "\n".join(texts) + "\n" for width, texts in shown.items()}

    return call


@pytest.mark.parametrize("name", COMMANDS)
def test_screens(screens, snapshot, name: str) -> None:
    arguments, is_kept, headings = COMMANDS[name]
    found = screens(*arguments)
    _fits(found, headings)
    if is_kept:
        assert found[80] == snapshot(name="80")
        assert found[120] == snapshot(name="120")


@pytest.mark.slow
def test_screens_of_long_work(screens) -> None:
    few = ("--samples", "2", "--layers", "2", "--nets", "1")
    _fits(screens("ciphers", *few), ("cipher", "avalanche"))
    _fits(screens("validate"), ("group", "error", "covered"))


def test_screens_of_tables_of_runs(screens, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text(
        "id,chip,n_chips,model,regime,metric,batch,isl,osl,value\n"
        "a-rather-long-name-of-a-run,h100-sxm,1,Qwen/Qwen3-8B,static,output_tokens_per_s,"
        "8,1024,256,900\n"
    )
    _fits(screens("predict", str(table)), ("id", "predicted", "low", "high", "status"))
    _fits(screens("validate", str(table)), ("id", "measured", "predicted", "error", "covered"))


def _fits(found: dict[int | None, str], headings: tuple[str, ...]) -> None:
    """Screens of 80 and 120 columns have no longer line, no broken number, these headings."""
    numbers = set(_NUMBER.findall(found[None]))
    for width in (80, 120):
        # What has no blank is never broken: addresses, ids.
        long = [x for x in found[width].splitlines() if len(x) > width and len(x.split()) > 1]
        assert not long, width
        assert set(_NUMBER.findall(found[width])) <= numbers, width
    missing = [h for h in headings if h not in _headings(found[80])]
    assert not missing
    assert "--wide" not in found[None]


def _headings(screen: str) -> str:
    """The lines over the rules of tables."""
    lines = screen.splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("─")]
    return "\n".join("\n".join(lines[max(i - 4, 0) : i]) for i in rules)


def test_wide_shows_all_columns(screens) -> None:
    narrow = screens("models", "gpt-oss")
    wide = screens("models", "gpt-oss", "--wide")
    assert "Also: " in narrow[80]
    assert wide[80] == wide[None] == narrow[None]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("columns", "out", "width"),
    [
        ("97", io.StringIO(), 97),
        ("0", io.StringIO(), None),
        ("wide", io.StringIO(), None),
        ("", io.StringIO(), None),
        ("61", _Terminal(), 61),
        ("", _Terminal(), 80),
    ],
)
def test_the_width_is_said_by_columns_else_by_the_terminal(monkeypatch, columns, out, width):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", out)
    assert screen_width() == width


def test_prose_keeps_numbers_with_their_units() -> None:
    text = "The step takes 31.2 ms of 50 ms at 3.35 TB/s, mean <= 2 s"
    for width in range(12, 60):
        lines = wrapped(text, width).split("\n")
        assert " ".join(lines) == text
        assert not any(re.search(r"(\d|<=)$", line) for line in lines[:-1])
