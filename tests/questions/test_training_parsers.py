"""Commands and files read by the training tools' own parsers, where those are installed.

They want PyTorch, and Megatron-LM a newer Python: they are in an environment of their own, whose
interpreter RIDGELINE_TRAINING_TOOLS names (pip install torch torchtitan==0.2.2 deepspeed
megatron-core maxtext hydra-core, none of which needs a GPU for this).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
from training_launched import CASES, job

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
FOLDERS = ("DATA_PATH", "TOKENIZER", "CHECKPOINTS")
FILLED = {
    "ROTARY_BASE": "500000",
    "LEARNING_RATE": "0.0001",
    "TRAIN_STEPS": "1000",
    "SAVE_STEPS": "100",
}

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

#: with its checks of what goes together; for them a Hopper and Transformer Engine stand in
MEGATRON = """
import argparse, json, os, sys
import torch
from packaging.version import Version
torch.cuda.get_device_capability = lambda *a, **k: (9, 0)
torch.cuda.get_device_properties = lambda *a, **k: argparse.Namespace(major=9, minor=0)
import megatron.core.utils as utils
utils.get_te_version, utils.is_te_min_version = lambda: Version("2.9.0"), lambda *a, **k: True
from megatron.training import argument_utils, arguments
import megatron.core.transformer.transformer_config as config
for module in (arguments, config):
    module.get_te_version, module.is_te_min_version = utils.get_te_version, utils.is_te_min_version
parser = argparse.ArgumentParser(allow_abbrev=False)
arguments.add_megatron_arguments(parser)
for case in json.load(sys.stdin):
    read = parser.parse_args([*case["argv"], "--no-rope-fusion"])
    read.rank, read.local_rank, read.world_size = 0, 0, case["n_chips"]
    os.environ.pop("CUDA_DEVICE_MAX_CONNECTIONS", None)
    os.environ.update(case["env"])
    arguments.validate_args(read)
    argument_utils.core_transformer_config_from_args(read)
    print(json.dumps({
        "tp": read.tensor_model_parallel_size, "pp": read.pipeline_model_parallel_size,
        "cp": read.context_parallel_size, "ep": read.expert_model_parallel_size,
        "dp": read.data_parallel_size, "global_batch": read.global_batch_size,
        "micro_batch": read.micro_batch_size, "seq": read.seq_length}))
"""


MAXTEXT = """
import json, os, sys
case = json.load(sys.stdin)[0]
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={case['n_chips']}"
os.environ["JAX_PLATFORMS"] = "cpu"
from pathlib import Path
import maxtext
from maxtext.configs import pyconfig
base = str(Path(maxtext.__path__[0]) / "configs" / "base.yml")
more = ["skip_jax_distributed_system=true", "enable_checkpointing=false", "dataset_type=synthetic"]
read = pyconfig.initialize(["train", base, *case["argv"], *more, f"num_slices={case['n_slices']}"])
chips = 1
for n in (*read.ici_parallelism, *read.dcn_parallelism):
    chips *= n
print(json.dumps({
    "n_chips": chips, "global_batch": read.global_batch_size_to_train_on,
    "seq": read.max_target_length}))
"""


BRIDGE = """
import json, sys
from hydra.core.override_parser.overrides_parser import OverridesParser
parser = OverridesParser.create()
for case in json.load(sys.stdin):
    read = {one.key_or_group: one.value() for one in parser.parse_overrides(case["argv"])}
    print(json.dumps({
        "tp": read["model.tensor_model_parallel_size"],
        "pp": read["model.pipeline_model_parallel_size"],
        "cp": read["model.context_parallel_size"],
        "global_batch": read["train.global_batch_size"],
        "micro_batch": read["train.micro_batch_size"], "seq": read["model.seq_length"]}))
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
        "n_chips": int(one.n_chips),
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


def test_overrides_are_read_back_as_megatron_bridge_reads_them() -> None:
    """By Hydra's parser, which takes no parentheses and has lists and nulls of its own."""
    made = cases("megatron-bridge")
    words = [found.commands[0].argv for _, found in made]
    read = asked(BRIDGE, [{"argv": w[w.index("--recipe") + 2 :]} for w in words])
    assert len(read) == len(made) >= 10
    for (one, _), values in zip(made, read, strict=True):
        assert values == {name: ours(one)[name] for name in values}


def test_commands_are_read_back_and_validated_by_megatron() -> None:
    made = cases("megatron-lm")
    sent = []
    for one, found in made:
        words = [filled(word) for word in found.commands[0].argv]
        argv = words[words.index("pretrain_gpt.py") + 1 :]
        env = dict(found.commands[0].env)
        sent.append({"argv": argv, "env": env, "n_chips": int(one.n_chips)})
    read = asked(MEGATRON, sent)
    assert len(read) == len(made) >= 10
    for (one, _), values in zip(made, read, strict=True):
        assert values == {name: ours(one)[name] for name in values}


@pytest.mark.parametrize("i", [0, 1, 4, 6])
def test_options_are_read_back_by_maxtext(i: int) -> None:
    """It takes as many devices as there are chips, which a process of its own pretends to have."""
    one, found = cases("maxtext")[i]
    words = [filled(word) for word in found.commands[0].argv]
    for name in FOLDERS:
        words = [word.replace(name, "/tmp/none") for word in words]
    argv = words[words.index("src/maxtext/configs/base.yml") + 1 :]
    n_slices = max(int(one.n_chips) // one.cluster.domain_size, 1)
    (read,) = asked(MAXTEXT, [{"argv": argv, "n_chips": int(one.n_chips), "n_slices": n_slices}])
    assert read == {name: ours(one)[name] for name in read}
