"""Draw all pictures of the docs: docs/pictures, and docs/lecture/pictures by the chapters' blocks.

    python scripts/draw_pictures.py             all that print the same anywhere
    python scripts/draw_pictures.py front 4     those of docs/pictures, and of chapter 4, by name

Pictures of chapter 7 that measure this machine are drawn by ``build_lecture.py 7 --measured``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from build_lecture import FOLDER, built, pages

import ridgeline as rl
from ridgeline.errors import did_you_mean

if TYPE_CHECKING:
    from ridgeline.charts import Chart

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
#: pictures of one layouts question, by name
OF_LAYOUTS = ("front", "roofline", "memory", "rack", "timeline")
#: pictures of one training question: file to name
OF_TRAINING = {
    "training-time": "time",
    "training-schedule": "schedule",
    "training-memory": "memory",
}
_OF_DOCS = (
    "serving", *OF_LAYOUTS, *OF_TRAINING, "training-front", "training-scaling", "rl-step",
)  # fmt: skip


def drawn(names: set[str]) -> dict[str, Chart]:
    """Pictures of docs/pictures by file name: those of `names`, or all."""
    model, machine = "deepseek-ai/DeepSeek-V3", "gb200-nvl72"
    found = {}
    if not names or "serving" in names:
        found["deepseek-v3-gb200"] = rl.serving(model, machine).chart("both")
    wanted = [n for n in OF_LAYOUTS if not names or n in names]
    if wanted:
        answer = rl.layouts(model, machine, ttft="1 s", tpot="30 ms")
        found |= {f"layouts-{name}": answer.chart(name) for name in wanted}
    wanted = [n for n in OF_TRAINING if not names or n in names]
    if wanted:
        step = rl.training("meta-llama/Meta-Llama-3-70B", "16xhgx-h100", seq=8192, tp=4, pp=4, vp=5)
        found |= {name: step.chart(OF_TRAINING[name]) for name in wanted}
    if not names or "training-front" in names:
        searched = rl.training_layouts(
            "meta-llama/Meta-Llama-3-70B", "16xhgx-h100", seq=8192, global_batch=512
        )
        found["training-front"] = searched.chart("front")
    if not names or "training-scaling" in names:
        scaled = rl.scaling(
            "meta-llama/Meta-Llama-3.1-405B", "2048xhgx-h100", seq=8192, global_batch=2048,
            tp=8, cp=2, pp=16, vp=7,
        )  # fmt: skip
        found["training-scaling"] = scaled.chart()
    if not names or "rl-step" in names:
        asked = {"prompts": 64, "samples": 32, "osl": "256:8k@mean=3k", "off_policy": 1}
        found["rl-step"] = rl.rl_step("Qwen/Qwen3-30B-A3B", "4xhgx-h100", **asked).chart()
    return found


def main() -> int:
    """Draw in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="serving, front, ..., or numbers of chapters")
    names = set(parser.parse_args().names)
    known = [*_OF_DOCS, *(path.stem.removeprefix("chapter-") for path in pages())]
    for name in sorted(names - set(known)):
        near = did_you_mean(name, known)
        parser.error(f"There is no picture {name!r}.{near} There are {', '.join(known)}.")
    chapters = {n for n in names if n.isdigit()}
    if not names or names - chapters:
        for name, chart in drawn(names - chapters).items():
            chart.save(PICTURES / f"{name}.svg")
    for path in pages():
        number = path.stem.removeprefix("chapter-")
        if number in chapters or not names:
            built(path.read_text(), measured=False, folder=FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
