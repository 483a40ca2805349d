"""Commands and files read by the training tools' own parsers, where those are installed.

They want PyTorch, and Megatron-LM a newer Python: they are in an environment of their own, whose
interpreter RIDGELINE_TRAINING_TOOLS names (pip install torch torchtitan==0.2.2 deepspeed
megatron-core, none of which needs a GPU for this).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
from test_training_flags import CASES, job

from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch import Launch
from ridgeline.questions.training.launch import start_training
from ridgeline.questions.training.legal import problems
from ridgeline.trainer.job import TrainingJob

PYTHON = os.environ.get("RIDGELINE_TRAINING_TOOLS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="RIDGELINE_TRAINING_TOOLS names no interpreter"),
]

#: what stands for the reader's own words, which parsers take for numbers
FILLED = {"ROTARY_BASE": "500000", "LEARNING_RATE": "0.0001", "TRAIN_STEPS": "1000"}

TORCHTITAN = """
import json, sys, tempfile
from torchtitan.config import ConfigManager
from torchtitan.distributed.parallel_dims import ParallelDims
for case in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(case["text"]); file.flush()
        read = ConfigManager().parse_args(["--job.config_file", file.name])
    p = read.parallelism
    dims = ParallelDims(
        p.data_parallel_replicate_degree, p.data_parallel_shard_degree, p.context_parallel_degree,
        p.tensor_parallel_degree, p.pipeline_parallel_degree, p.expert_parallel_degree,
        p.expert_tensor_parallel_degree, case["n_chips"])
    print(json.dumps({
        "tp": dims.tp, "cp": dims.cp, "pp": dims.pp, "dp": dims.dp_replicate * dims.dp_shard,
        "global_batch": read.training.global_batch_size, "seq": read.training.seq_len}))
"""

DEEPSPEED = """
import json, sys
from deepspeed import comm
from deepspeed.runtime.config import DeepSpeedConfig
comm.get_rank = lambda *a: 0
for case in json.load(sys.stdin):
    class Ranks:
        get_data_parallel_world_size = staticmethod(lambda: case["dp"])
    read = DeepSpeedConfig(json.loads(case["text"]), mpu=Ranks())
    print(json.dumps({
        "global_batch": read.train_batch_size, "micro_batch": read.train_micro_batch_size_per_gpu,
        "zero": read.zero_config.stage, "tp": read.tensor_parallel_config.autotp_size or 1}))
"""

MEGATRON = """
import argparse, json, sys
from megatron.training.arguments import add_megatron_arguments
parser = argparse.ArgumentParser(allow_abbrev=False)
add_megatron_arguments(parser)
for case in json.load(sys.stdin):
    read = parser.parse_args(case["argv"])
    print(json.dumps({
        "tp": read.tensor_model_parallel_size, "pp": read.pipeline_model_parallel_size,
        "cp": read.context_parallel_size, "ep": read.expert_model_parallel_size,
        "global_batch": read.global_batch_size, "micro_batch": read.micro_batch_size,
        "seq": read.seq_length}))
"""


def ours(one: TrainingJob) -> dict[str, int]:
    layout = one.layout
    return {
        "tp": layout.tp,
        "pp": layout.pp,
        "cp": layout.cp,
        "dp": layout.dp,
        "ep": layout.ep,
        "zero": layout.zero,
        "global_batch": one.load.global_batch,
        "micro_batch": one.recipe.micro_batch,
        "seq": one.load.seq_len,
    }


def cases(tool: str) -> list[tuple[TrainingJob, Launch]]:
    found = []
    for model, layout, recipe in CASES:
        one = job(model, recipe=recipe, tool=tool, **layout)
        if next(problems(one, one.layout.n_chips), None) is None:
            try:
                found.append((one, start_training(one, tool)))
            except InfeasibleError:
                continue
    return found


def filled(text: str) -> str:
    for name, value in FILLED.items():
        text = re.sub(f'"?{name}"?', value, text)
    return text


def asked(code: str, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [PYTHON, "-c", code], input=json.dumps(sent), capture_output=True, text=True, check=False
    )
    if "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(("tool", "code"), [("torchtitan", TORCHTITAN), ("deepspeed", DEEPSPEED)])
def test_files_are_read_back_by_the_tool(tool: str, code: str) -> None:
    made = cases(tool)
    sent = [
        {"text": filled(found.files[0][1]), "n_chips": one.n_chips, "dp": int(one.layout.dp)}
        for one, found in made
        if tool != "deepspeed" or one.layout.tp == 1
    ]
    read = asked(code, sent)
    assert len(read) == len(sent) >= 3
    kept = [one for one, _ in made if tool != "deepspeed" or one.layout.tp == 1]
    for one, values in zip(kept, read, strict=True):
        assert values == {name: ours(one)[name] for name in values}


def test_commands_are_read_back_by_megatron() -> None:
    made = cases("megatron-lm")
    sent = []
    for _, found in made:
        words = [filled(word) for word in found.commands[0].argv]
        sent.append({"argv": words[words.index("pretrain_gpt.py") + 1 :]})
    read = asked(MEGATRON, sent)
    assert len(read) == len(made) >= 10
    for (one, _), values in zip(made, read, strict=True):
        assert values == {name: ours(one)[name] for name in values}
