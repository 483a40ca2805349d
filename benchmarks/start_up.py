"""What starting takes: ``import ridgeline`` and commands, as multiples of importing numpy.

Processor time, so that what else runs on the machine counts for little; wall time is printed beside
it. Every command runs twice before it is timed, once for Python's compiled modules and once for the
index of the catalogue, both in a folder of this run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

RUNS = 9
ASK = ["serving", "deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72"]
#: what everything is a multiple of
UNIT = "numpy alone"


@dataclass
class Case:
    """One start: its arguments, and the most that it may take, in imports of numpy."""

    arguments: list[str]
    most: float = float("inf")
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *self.arguments], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall_s.append(time.perf_counter() - start)
        self.cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def command(*arguments: str) -> list[str]:
    return ["-c", "import sys; from ridgeline.cli import main; sys.exit(main())", *arguments]


def cases() -> dict[str, Case]:
    # Before lists were kept and records loaded when asked for: 10.5, 7.3 and 7.7.
    return {
        "bare interpreter": Case(["-c", "pass"]),
        UNIT: Case(["-c", "import numpy"]),
        "import ridgeline": Case(["-c", "import ridgeline"], most=0.5),
        "ridgeline --help": Case(command("--help"), most=2.5),
        "ridgeline chips": Case(command("chips"), most=3.0),
        "ridgeline models": Case(command("models"), most=3.0),
        "ridgeline serving": Case(command(*ASK), most=7.0),
    }


def main() -> int:
    found = cases()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ |= {"PYTHONPYCACHEPREFIX": folder, "RIDGELINE_CACHE": folder}
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # idle threads of numpy's would be counted
        for turn in range(RUNS + 2):
            for case in found.values():
                case.run()
                if turn < 2:
                    case.cpu_s.clear()
                    case.wall_s.clear()
    unit = min(found[UNIT].cpu_s)
    failed = []
    for name, case in found.items():
        ratio = min(case.cpu_s) / unit
        limit = "" if case.most == float("inf") else f"  (at most {case.most:g})"
        print(
            f"{name:18} {min(case.cpu_s) * 1e3:5.0f} ms of a processor at best, "
            f"{min(case.wall_s) * 1e3:5.0f} ms to wait, {ratio:5.2f} x numpy{limit}"
        )
        failed += [name] * (ratio > case.most)
    if failed:
        print(f"Slower than it must be: {', '.join(failed)}.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
