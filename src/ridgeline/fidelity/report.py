"""Tell people how near the components come: the section of ``docs/fidelity.md`` on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.files import is_file, read_text, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ridgeline.fidelity.components import Outcome, Scored

__all__ = ["TARGETS", "report", "score_rows", "target_of", "write_report", "write_section"]

_BEGIN = "<!-- components: written by 'ridgeline components --report' -->"
_END = "<!-- components: end -->"

#: component -> the median error asked of it on unseen shapes
TARGETS = {"bf16": 0.12, "narrow": 0.20, "experts": 0.12, "decode": 0.15, "collective": 0.20}

_ACROSS_NODES = ("nvlink4",)

_HEAD = """\
## Components

How near the calibrated laws come to measured operators, on shapes their fit has not seen.

Written by `ridgeline components KERNELS_FOLDER --report docs/fidelity.md`; the constants by
`--fit --out src/ridgeline/catalog/constants`.

* **Measured:** the kernel tables of NVIDIA AIConfigurator 0.12.0 (Apache-2.0). Only the fitted
  constants and the scores are kept here.
* **Unseen:** whole weight matrices (n, k), whole models (experts), whole sets of (heads, KV heads,
  sequences), or message sizes are left out together, in sorted order, in at most eight folds; each
  is predicted with constants fitted on the others. The constants in the catalogue are then fitted
  on all of them. The laws' forms were chosen by these scores, so a little of what is unseen was
  seen by us.
* **Error** is exp|ln(predicted / measured)| - 1, over the times of *every* engine. *Bias* above 0
  is too slow. *Of median* is the error against the median engine of each point; *engines* is what
  that median engine itself misses the single engines by: what no law can remove that does not
  know the engine.
* **One constant for all engines.** The fit pools TensorRT-LLM, SGLang and vLLM, newest version of
  each; what they differ by is in each constant's sigma. A multiplier an engine would be fitted to
  one release and wrong at the next.

| component | format or operation | target | median over chips | worst chip | met on |
| --- | --- | ---: | ---: | --- | ---: |
"""

_LEFT_OUT = """\
### What is left out, and why

* vLLM 0.24.0 block-fp8 products: 15 to 53 times the floor of other engines at every size.
* TensorRT-LLM 1.0.0 decode attention on A100: up to 1.5 times faster than its memory can deliver.
* TensorRT-LLM fp8 decode attention on L40S: time follows the context alone; a fallback kernel.
* Products of experts whose weights stay in a cache, single spikes, ranks whose work does not fall
  with their number, and vLLM's untuned fp8 on Hopper. Kernels that engines do not serve with on a
  chip: SGLang's Triton kernels on B200, B300, GB200, GB300 (half again to twice the time of the
  generated ones), CUTLASS in nvfp4 there (1.3 to 2.5 times), mxfp4 beside 16-bit inputs in Marlin
  and TensorRT-LLM's fallback there (2 to 3 times) and in SGLang's Triton kernels on Hopper and L40S
  (2.5 to 10 times), SGLang's CUTLASS in bf16 on Hopper (4 to 5 times).
* Working sets that fit the last-level cache of L40S and RTX PRO 6000, where such rows outrun memory
  by up to three times: weights come cold in serving. They are not scored, and tell the fit of
  launches only, read at a bandwidth of their own. Those up to half again as large are dropped.
* A framework's all-reduce in a graph where its floor is three times the best one's: it then runs
  the library's (SGLang and vLLM beyond one tray of an NVL72).
* PCIe machines out of order: one with RTX PRO 6000 at half of its link; and one with L40S whose
  rate collapses beyond a pair (20, 5, 2 GB/s on 2, 4, 8), which has constants of its own
  (`peer_access = "broken"`), pooled with nothing.
* DeepEP's bulk kernels on 8 nodes, which fall to half the network's rate as collected, and all
  DeepEP rows of H200, which repeat those of H100.

### What is missed, and why

* **fp8 and nvfp4 products**: engines fall into two camps. TensorRT-LLM quantises inputs in kernels
  of its own, which the others fuse and a served model mostly does; the fit sides with the larger
  camp, so that the median is good and p90 shows the other. bf16 has one camp.
* **Block fp8 on L40S and RTX PRO 6000**: one engine, some thirty rows read from memory, of which
  few are small; steps between kernels show in full.
* **Eager all-reduces on the PCIe machine out of order** (`pcie4-broken`): its times jump about.
* **Experts in block fp8 on Blackwell**: DeepGEMM (TensorRT-LLM) and generated kernels (SGLang,
  vLLM) are three times apart for large batches and even for small ones; the fit stands between. On
  RTX PRO 6000 two engines' Triton kernels are half again apart.
* **Experts in mxfp4 beside 16-bit inputs**: two or three models were measured, of which one makes
  most of the rows.
* **A100 decode attention**: two engines are left, 1.4 times apart; the fit stands between them.
* **H200 decode attention in fp8** only just passes for the same reason.
* **Prefill attention** is not asked of; short prompts differ between engines by what they fuse.
* Peaks are data sheets'. B200's memory is listed at 7.7 or 8 TB/s; the efficiency takes up the
  difference.

### Chips not measured

A chip takes its own constants, else its family's (a vendor's chips with one kind of memory), else
those of all chips; each component and format by itself. A pooled value is the members' median on
the log scale; its variance is the mean of theirs plus the variance between them (at least 5% in a
family, 20% over all; where a family has one member, the variance between all measured chips).
Fabrics do the same by generation, kind (switch, PCIe), all. How the rate between cards on PCIe
goes with their number is a machine's, not a card's; one machine of each kind was measured. Told by
the other two, long all-reduces on 4 and 8 cards are off by 26% (L40S; 370% with the machine out of
order in its place), 11% (Arc Pro B60) and 52% (RTX PRO 6000, whose port is twice as fast); the
spread widens intervals. Figures that nobody fitted: four RTX 4090 under a driver patched for peer
access reach 24.7 GB/s (predicted: 21); RTX 5090 without it 35 on four and 28 on eight (29, 22).

"""


def target_of(component: str, dtype: str) -> float | None:
    """Median error asked of a component, or None.

    Examples
    --------
    >>> target_of("product", "nvfp4"), target_of("prefill", "bf16")
    (0.2, None)
    """
    if component == "product":
        return TARGETS["bf16" if dtype == "bf16" else "narrow"]
    if component == "exchange" and dtype.endswith("bulk"):
        return None
    if component == "exchange":
        return TARGETS["collective"]
    return TARGETS.get(component)


def score_rows(scores: Sequence[Scored]) -> list[dict[str, Any]]:
    """One flat row for each line of the scoreboard.

    Parameters
    ----------
    scores : sequence of Scored

    Returns
    -------
    list of dict   Errors as shares; ``met`` is None where nothing is asked.
    """
    rows = []
    for s in scores:
        if s.score is None:
            continue
        target = target_of(s.component, s.dtype)
        rows.append(
            {
                "component": s.component,
                "dtype": s.dtype,
                "place": s.place,
                "n_scored": s.score.n,
                "n_shapes": s.score.n_shapes,
                "median": s.score.median,
                "p90": s.score.p90,
                "bias": s.score.bias,
                "of_median": s.score.of_median,
                "engines": s.score.engines,
                "target": target,
                "met": None if target is None else s.score.median <= target,
            }
        )
    return rows


def report(outcome: Outcome) -> str:
    """The section as Markdown."""
    rows = score_rows(outcome.scores)
    text = [_HEAD.rstrip("\n")]
    kinds = list(dict.fromkeys((r["component"], r["dtype"]) for r in rows))
    for component, dtype in kinds:
        same = [r for r in rows if (r["component"], r["dtype"]) == (component, dtype)]
        worst = max(same, key=lambda r: r["median"])
        met = [r["met"] for r in same if r["met"] is not None]
        text.append(
            f"| {component} | {dtype} | {_percent(same[0]['target'])} "
            f"| {_percent(float(np.median([r['median'] for r in same])))} "
            f"| {worst['place']} {_percent(worst['median'])} "
            f"| {f'{sum(met)} of {len(met)}' if met else ''} |"
        )
    text.append("\n" + _LEFT_OUT + "### Every chip\n")
    text += [
        "| component | format or operation | chip or fabric | scored | shapes | median | p90 "
        "| bias | of median | engines | |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    text += [_line(r) for r in rows]
    unscored = [s for s in outcome.scores if s.score is None]
    if unscored:
        names = ", ".join(f"{s.component} {s.dtype} on {s.place}" for s in unscored)
        text.append(f"\nFitted but not scored, for want of a second shape: {names}.")
    return "\n".join(text) + "\n"


def _line(r: dict[str, Any]) -> str:
    mark = {True: "", False: "missed", None: "not asked"}[r["met"]]
    return (
        f"| {r['component']} | {r['dtype']} | {r['place']} | {r['n_scored']} | {r['n_shapes']} "
        f"| {_percent(r['median'])} | {_percent(r['p90'])} | {r['bias'] * 100:+.1f}% "
        f"| {_percent(r['of_median'])} | {_percent(r['engines'])} | {mark} |"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f}%"


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the section into a page, in place of the last one; other sections stay.

    Parameters
    ----------
    outcome : Outcome
    path : Path   Made with a heading if it does not exist.
    """
    write_section(path, _BEGIN, _END, report(outcome))


def write_section(path: Path, begin: str, end: str, text: str) -> None:
    """Write one section of a page between its two marks, in place of the last one.

    Parameters
    ----------
    path : Path        Made with a heading if it does not exist; its other sections stay.
    begin, end : str   HTML comments.
    text : str         Markdown.
    """
    section = f"{begin}\n\n{text}\n{end}\n"
    old = read_text(path, "a page of Markdown") if is_file(path) else "# Fidelity\n\n"
    if begin in old and end in old:
        before, rest = old.split(begin, 1)
        after = rest.split(end, 1)[1].removeprefix("\n")
        write_whole(path, before + section + after)
    else:
        write_whole(path, f"{old.rstrip()}\n\n{section}")
