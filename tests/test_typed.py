"""A user's type check sees the library's types, and what is misspelt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ridgeline

pytestmark = pytest.mark.slow

SCRIPT = """
import ridgeline as rl

one = rl.serving("Qwen/Qwen3-8B", "hgx-h100", batch=[1, 8])
reveal_type(one)
reveal_type(one.answer)
reveal_type(one.sentences())
reveal_type(rl.layouts("Qwen/Qwen3-8B", "hgx-h100", isl=1000, osl=200))
reveal_type(rl.training("Qwen/Qwen3-8B", "hgx-h100", tp=2, tokens="1T"))
reveal_type(rl.fleet("Qwen/Qwen3-8B", "hgx-h100", rate=40, isl=1000, osl=200))
reveal_type(rl.compare([one]))
reveal_type(rl.sweep("Qwen/Qwen3-8B", "hgx-h100", {"load.batch": [1, 8]}))
reveal_type(rl.tiers(one))
reveal_type(rl.models("llama 3.3"))
reveal_type(rl.model("Qwen/Qwen3-8B"))
reveal_type(rl.chip("h100-sxm"))
reveal_type(rl.cluster("hgx-h100").domain_size)
rl.servign("Qwen/Qwen3-8B", "hgx-h100")
"""
TYPES = [
    "Serving", "Answer", "list[str]", "Layouts", "Training", "Fleet", "Comparison", "Sweep",
    "Answer", "Table", "Model", "Chip", "int",
]  # fmt: skip


def test_a_users_script(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(SCRIPT)
    package = Path(ridgeline.__file__).parent
    assert (package / "py.typed").exists()
    config = {"extraPaths": [str(package.parent)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    pyright = Path(sys.executable).with_name("pyright")
    done = subprocess.run(
        [pyright, "--outputjson", "--pythonpath", sys.executable, "user.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = json.loads(done.stdout)["generalDiagnostics"]
    revealed = [d["message"] for d in said if d["severity"] == "information"]
    assert [m.split(' is "')[1].rstrip('"') for m in revealed] == TYPES
    (error,) = [d["message"] for d in said if d["severity"] == "error"]
    assert "servign" in error
