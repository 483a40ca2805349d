"""Wall time of ``import ridgeline`` and of the command, beside a bare interpreter."""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 7
ASK = ["serving", "deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72"]
CASES = {
    "bare interpreter": ["-c", "pass"],
    "import ridgeline": ["-c", "import ridgeline"],
    "ridgeline --help": ["-c", "from ridgeline.cli import main; main(['--help'])"],
    "ridgeline serving": ["-c", f"from ridgeline.cli import main; main({ASK!r})"],
    "ridgeline chips": ["-c", "from ridgeline.cli import main; main(['chips'])"],
    "ridgeline models": ["-c", "from ridgeline.cli import main; main(['models'])"],
}


def wall_s(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    bare = None
    for name, arguments in CASES.items():
        times = sorted(wall_s(arguments) for _ in range(RUNS))
        bare = bare or times[RUNS // 2]
        print(
            f"{name:20} {times[0] * 1e3:6.0f} ms at best, {times[RUNS // 2] * 1e3:6.0f} ms median, "
            f"{times[RUNS // 2] / bare:5.1f} x a bare interpreter"
        )


if __name__ == "__main__":
    main()
