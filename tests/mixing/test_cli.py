"""The two commands: tables, JSON, CSV, pictures; and what they say without PyTorch."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ridgeline.cli import main

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(
    not HAS_TORCH, reason="PyTorch is not installed: pip install 'ridgeline[torch]'"
)
CIPHERS = ["ciphers", "--samples", "16", "--layers", "3", "--nets", "1"]
REVERSIBLE = ["reversible", "--depths", "2,8", "--width", "32", "--context", "16", "--batch", "2"]
REVERSIBLE += ["--device", "cpu", "--repeats", "1"]


def test_ciphers_as_table_json_and_csv(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "mixing.json"
    assert main([*CIPHERS, "--out", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "AES-128" in text
    assert "AES 4, PRESENT 4" in text
    assert "none of it is fit to protect anything" in text
    assert "vconcat" in json.loads(picture.read_text())
    assert main([*CIPHERS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["uniformity"]["AES"] == 4
    assert main([*CIPHERS, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {r["curve"] for r in rows} > {"cipher_avalanche", "jacobians"}


@needs_torch
def test_reversible_as_table_json_and_csv(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = tmp_path / "memory.json"
    arguments = [*REVERSIBLE, "--steps", "2", "--precision-depths", "1,2"]
    assert main([*arguments, "--out", str(picture)]) == 0
    shown = capsys.readouterr()
    assert "activations grow 4.00 x stored" in shown.out
    assert "1.00 x reversible" in shown.out
    assert "exact" in shown.out
    assert "vconcat" in json.loads(picture.read_text())
    assert main([*REVERSIBLE, "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["stacks"]) == 6
    assert found["losses"] == []
    assert main([*REVERSIBLE, "--quick", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["alive_bytes"] for r in rows] == [r["predicted_alive_bytes"] for r in rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*CIPHERS, "--json", "--csv"], "Choose one"),
        ([*CIPHERS, "--chart", "x", "--out", "x.json"], "There is no picture"),
        (["ciphers", "--nets", "0"], "--nets: a whole number from 1 to 1024"),
        (["ciphers", "--seed=-1"], "--seed: a whole number from 0 to"),
        (["ciphers", "--samples", "1" + "0" * 400], "--samples: a whole number from 1 to 65536"),
    ],
)
def test_bad_input_of_ciphers(arguments, message, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@needs_torch
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--depths", "0"], "a whole number from 1 to 1e6"),
        (["--depths", "two"], "a whole number from 1 to 1e6"),
        (["--device", "tpu7"], "There is no device"),
        (["--chart", "memories"], "memory, time, losses"),
        (["--width", "0"], "--width: a whole number from 1 to 1e6"),
        (["--json", "--csv"], "Choose one"),
    ],
)
def test_bad_input_of_reversible(arguments, message, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reversible", *arguments]) == 2
    assert message in capsys.readouterr().err


def _without_torch(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that cannot find PyTorch."""
    hidden = (
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "import importlib.util as u; _find = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n == 'torch' else _find(n, p)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", hidden + code], capture_output=True, text=True, check=False
    )


def test_without_pytorch_the_command_says_how_to_get_it() -> None:
    done = _without_torch(
        "from ridgeline.cli import main; sys.exit(main(['reversible', '--quick']))"
    )
    assert done.returncode == 2
    assert "pip install 'ridgeline[torch]'" in done.stderr


def test_without_pytorch_the_rest_works() -> None:
    done = _without_torch(
        "from ridgeline.cli import main\n"
        f"code = main({CIPHERS!r})\n"
        "import ridgeline.mixing.reversible as r, ridgeline.errors as e\n"
        "try: r.GPT\n"
        "except e.MissingExtraError as error: print(error)\n"
        "sys.exit(code)"
    )
    assert done.returncode == 0, done.stderr
    assert "ridgeline[torch]" in done.stdout


def test_importing_the_product_does_not_load_pytorch() -> None:
    parts = "ridgeline, ridgeline.cli, ridgeline.mixing.reversible, ridgeline.cli.reversible"
    code = f"import sys, {parts}"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
