"""Examples of each command, for its help: every line is run by a test."""

from __future__ import annotations

from typing import Final

__all__ = ["EXAMPLES"]

_TEXT: Final = """
ridgeline serving deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline serving Qwen/Qwen3-8B --on h100-sxm,mi300x --isl 2k --osl 500 --tpot 20
ridgeline serving Qwen/Qwen3-8B --on h100-sxm --isl 2k --osl 500 --rate 40 --ttft 'p99<2s'
ridgeline serving Qwen/Qwen3-8B --on rtx-4090 --weights q4_k_m --batch 1 --explain
ridgeline layouts Qwen/Qwen3-32B --on hgx-h100 --isl 4k --osl 500 --tpot 50
ridgeline layouts Qwen/Qwen3-32B --on h100-sxm --isl 4k --osl 500 --rate 20
ridgeline layouts Qwen/Qwen3-8B --on h100-sxm --chips 2 --flags vllm
ridgeline training Qwen/Qwen3-8B --on hgx-h100 --seq 8k --tokens 100B
ridgeline training meta-llama/Meta-Llama-3-70B --on 16xhgx-h100 --tp 4 --pp 4 --vp 5 --seq 8192
ridgeline training Qwen/Qwen3-32B --on hgx-h100 --task lora --global-batch 64 --explain
ridgeline training Meta-Llama-3-70B --on 4xhgx-h100 --seq 8192 --global-batch 256 --search
ridgeline scaling meta-llama/Meta-Llama-3-70B --on 256xhgx-h100 --seq 8192 --tokens 15T
ridgeline scaling Qwen/Qwen3-8B --on 64xhgx-h100 --kind weak --global-batch 512 --tp 2
ridgeline rl-step Qwen/Qwen3-8B --on hgx-h100 --prompts 64 --samples 8 --osl 256:4k@mean=2k
ridgeline rl-step Qwen/Qwen3-30B-A3B --on 4xhgx-h100 --off-policy 1 --osl 256:8k@mean=3k
ridgeline budget --active 100B --traffic 50M --lifetime 60d
ridgeline budget deepseek-ai/DeepSeek-V3 --inference-tokens 30T --split without-rl --explain
ridgeline budget meta-llama/Meta-Llama-3-70B --on 256xhgx-h100 --traffic 20M --lifetime 180d
ridgeline sweep Qwen/Qwen3-8B --on h100-sxm --over load.batch=1,8,64,512
ridgeline sweep Qwen/Qwen3-8B --on hgx-h100,hgx-h200 --batch 1:1024 --best usd_per_mtok_output
ridgeline tiers deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline tiers deepseek-ai/DeepSeek-V3 --on gb200-nvl72 --price-ratio 6 --speed-ratio 2.5
ridgeline sparsity deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline sparsity deepseek-ai/DeepSeek-V3 --on gb200-nvl72 --requests 100 --osl 500
ridgeline racks deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline racks deepseek-ai/DeepSeek-V3 --on hgx-h100 --chips 64 --batch-per-chip 64
ridgeline pipelining deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline pipelining deepseek-ai/DeepSeek-V3 --on gb200-nvl72 --micro-batch 256 --hop 2.5
ridgeline scaleup deepseek-ai/DeepSeek-V3 --on gb200-nvl72
ridgeline scaleup deepseek-ai/DeepSeek-V3 --on gb200-nvl72 --tpot 10 --clusters hgx-h100,gb200-nvl72
ridgeline generations
ridgeline generations h100-sxm b200-sxm mi300x
ridgeline wall Qwen/Qwen3-32B --on hgx-h100
ridgeline wall Qwen/Qwen3-32B --on hgx-h100 --tpot 30 --usd-per-mtok 1
ridgeline design --on gb200-nvl72 --tpot 20 --context 128k
ridgeline design --on gb200-nvl72 --tpot 20 --context 128k --usd-per-mtok 1 --weight-bits 4
ridgeline sensitivity Qwen/Qwen3-8B --on h100-sxm --batch 1
ridgeline sensitivity Qwen/Qwen3-8B --on h100-sxm --reading blackboard
ridgeline ciphers
ridgeline ciphers --samples 64 --layers 12 --nets 1 --csv
ridgeline reversible --quick --depths 2,4,8
ridgeline reversible --chart losses --steps 100
ridgeline models
ridgeline models llama 3.3
ridgeline models Qwen/Qwen3-8B deepseek-ai/DeepSeek-V3
ridgeline models Qwen/Qwen3-8B --toml
ridgeline chips
ridgeline chips h100
ridgeline chips gb200-nvl72
ridgeline chips h100-sxm mi300x --csv
ridgeline predict runs.csv
ridgeline predict runs.csv --predictions predicted.csv
ridgeline validate
ridgeline validate results.json --model Qwen/Qwen3-8B --on h100-sxm --tp 1
ridgeline validate runs.csv --by chip,model --report report.md
ridgeline calibrate
ridgeline calibrate runs.csv --out constants.toml
ridgeline components measured
ridgeline components measured --fit --out constants
"""


def _by_command(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.split("\n"):
        if line:
            name = line.split()[1]
            found[name] = (*found.get(name, ()), line)
    return found


#: name of a command -> command lines
EXAMPLES: Final = _by_command(_TEXT)
