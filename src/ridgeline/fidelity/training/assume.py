"""From the cells of a training table to a job: what it states, and what is assumed.

Every assumption is one sentence, and a prediction that rests on one says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import framework, framework_of, frameworks
from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.fidelity.measurements.columns import Fault, count, number
from ridgeline.fidelity.measurements.side_files import HEADS_ASSUMED
from ridgeline.fidelity.training.cells import bare, model_of
from ridgeline.fidelity.training.notes import (
    accumulation,
    job_number,
    local_batch,
    optimizer,
    schedule_of,
    selective,
)
from ridgeline.fidelity.training.runs import TrainingRun
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.counts import counts
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.trainer.job import TrainingJob

if TYPE_CHECKING:
    from ridgeline.fidelity.measurements.resolve import Resolver
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model

__all__ = ["run_of"]

Cells = dict[str, str]
_ASYNC_TP = re.compile(r"\basync[ -]?tp\b", re.IGNORECASE)
_UNKNOWN = ("", "unknown", "not stated", "-", "n/a", "na", "none stated")
_TASKS = {
    "": "pretrain", "pretrain": "pretrain", "pretraining": "pretrain", "pre-train": "pretrain",
    "train": "pretrain", "sft": "finetune", "finetune": "finetune", "full": "finetune",
    "finetuning": "finetune", "lora": "lora", "qlora": "qlora", "peft": "lora",
}  # fmt: skip
_PRECISIONS = {
    "bf16": "bf16", "bfloat16": "bf16", "fp16": "fp16", "fp32": "fp32", "tf32": "fp32",
    "fp8": "fp8", "mxfp8": "mxfp8", "nvfp4": "nvfp4", "fp4": "nvfp4", "fp8-block": "fp8-block",
}  # fmt: skip
_RECOMPUTES = (
    (("none", "no", "off", "false", "0"), "none"),
    (("sel", "sac", "op"), "selective"),
    (("full", "true", "yes", "on", "all"), "full"),
)
#: of weights in 16 bits with gradients, masters and Adam's two moments; for a layout nobody states
_BYTES_PER_PARAM = 18.0
_ROOM = 0.7
#: tokens of a document of instruction tuning, of which a sequence packs many
_PACKED_TOKENS = 512


def run_of(cells: Cells, key: str, notes: str, resolver: Resolver) -> TrainingRun:
    """The run of a line, complete.

    Parameters
    ----------
    cells : mapping      Column to text.
    key, notes : str     Of the run, notes of all its rows.
    resolver : Resolver  Of models and chips.

    Raises
    ------
    Fault   What is wrong with a cell, in words.
    """
    said: list[str] = []
    cells = {column: bare(column, text, said) for column, text in cells.items()}
    n_chips = _needed(cells, "n_chips")
    model = model_of(cells.get("model", ""), resolver)
    if HEADS_ASSUMED in model.notes:
        said.append("heads not stated: taken as 128 wide")
    if not model.blocks:
        raise Fault("not-modelled", f"{model.id} is known by its size only, not by its layers.")
    cluster = _cluster(cells, n_chips, resolver)
    date, words = cells.get("date", ""), f"{cells.get('source', '')} {notes}"
    used, version = _framework(cells.get("framework", ""), words, said)
    version = version or job_number(notes)
    used = used.on(version, date)
    hidden = _ASYNC_TP.search(notes) and "vanilla tp" not in notes.casefold()
    if hidden and "tp" not in used.hides:
        used = used.model_copy(update={"hides": (*used.hides, "tp")})
    if "MP mode PURE" in notes:
        used = used.model_copy(update={"reduce_bytes": 2.0})
    task = cells.get("task", "").casefold()
    layout = _layout(
        cells | _filled(cells, n_chips, model, cluster, notes, said), n_chips, used, said
    )
    load, micro = _load(cells, layout, used, notes, task, said)
    recipe = _recipe(cells, model, layout, used, notes, micro, said)
    job = TrainingJob(model, cluster, layout, recipe, load, used, version=version, date=date)
    precision = cells.get("precision", "").casefold()
    return TrainingRun(
        key=key,
        group=cells.get("group") or key,
        source=cells.get("source_set") or cells.get("source", ""),
        job=job,
        task=task or "pretrain",
        precision="" if precision in _UNKNOWN else recipe.precision,
        said=tuple(dict.fromkeys(said)),
        notes=notes,
        date=date,
    )


def _needed(cells: Cells, column: str) -> int:
    found = count(cells.get(column, ""), column)
    if found is None:
        raise Fault("missing-input", f"{column} is blank.")
    return found


def _cluster(cells: Cells, n_chips: int, resolver: Resolver) -> Cluster:
    """The chip's standard machine, with the domain and the network that the table states."""
    found = resolver.cluster(cells.get("chip", ""), 1)
    per_node = count(cells.get("chips_per_node", ""), "chips_per_node")
    gbps = number(cells.get("internode_gbps_per_chip", ""), "internode_gbps_per_chip")
    changes: dict[str, Any] = {}
    if per_node is not None and per_node != found.domain_size:
        changes["domain_size"] = per_node
    if gbps is not None:
        changes["scale_out"] = gbps * 1e9
    n_domains = -(-n_chips // changes.get("domain_size", found.domain_size))
    if n_domains != found.n_domains:
        changes["n_domains"] = n_domains
    if n_domains > 1 and found.scale_out is None and gbps is None:
        return resolver.cluster(cells.get("chip", ""), n_chips)
    return resolver.changed(found, changes, cells.get("chip", "")) if changes else found


def _framework(cell: str, words: str, said: list[str]) -> tuple[Framework, str]:
    """The framework that a cell names; without one, that its source or notes name."""
    if cell.casefold() not in _UNKNOWN:
        try:
            return framework_of(cell)
        except RidgelineError:
            said.append(f"framework {cell!r} is not known: taken as a good one of today")
            return framework(), ""
    found = _named_in(words)
    if found is not None:
        said.append(f"framework not stated: taken as {found.name}, which the source names")
        return found, ""
    said.append("framework not stated: taken as a good one of today")
    return framework(), ""


def _filled(
    cells: Cells, n_chips: int, model: Model, cluster: Cluster, notes: str, said: list[str]
) -> Cells:
    """Degrees of a run that states none: the least tensor parallelism that holds the model.

    Where the number of micro-batches is known, data parallelism follows from it, and context
    parallelism takes the rest.
    """
    if any(_known(cells, c) for c in ("tp", "pp", "cp", "dp")) or n_chips == 1:
        return {}
    frozen = cells.get("task", "").casefold() in ("lora", "qlora")
    needed = float(counts(model).n_params) * (2.0 if frozen else _BYTES_PER_PARAM)
    room = _ROOM * chip_capacity_bytes(cluster.chip)
    widest = min(cluster.domain_size, n_chips)
    degrees = [d for d in range(1, widest + 1) if widest % d == 0]
    tp = next((d for d in degrees if needed / d <= room), widest)
    cp = 1
    accumulated, batch = accumulation(notes), number(_known(cells, "global_batch"), "global_batch")
    if accumulated and batch and batch % accumulated == 0:
        dp = int(batch // accumulated)
        if n_chips % (tp * dp) == 0:
            cp = n_chips // (tp * dp)
    said.append(f"layout not stated: tp {tp}, cp {cp}, the rest data parallel")
    return {"tp": str(tp), "cp": str(cp), "pp": "1"}


def _named_in(words: str) -> Framework | None:
    """The framework that a text names first; PyTorch, which most build on, if none but it."""
    text = f" {re.sub(r'[^a-z0-9]+', ' ', words.casefold())} "
    places = []
    for one in frameworks().values():
        for name in (one.id, *one.names):
            at = text.find(f" {re.sub(r'[^a-z0-9]+', ' ', name)} ")
            if at >= 0 and one.id != "current":
                places.append((one.id == "pytorch", at, -len(name), one.id))
    return frameworks()[min(places)[-1]] if places else None


def _layout(cells: Cells, n_chips: int, used: Framework, said: list[str]) -> TrainingLayout:
    degrees = {c: count(_known(cells, c), c) for c in ("tp", "pp", "vp", "cp", "ep", "dp")}
    blank = [c for c in ("tp", "pp", "cp") if degrees[c] is None]
    if blank:
        said.append(f"{', '.join(blank)} not stated: taken as 1")
    tp, pp, cp = (degrees[c] or 1 for c in ("tp", "pp", "cp"))
    used_chips = tp * pp * cp
    if n_chips % used_chips:
        raise Fault(
            "bad-layout",
            f"tp x pp x cp is {used_chips}, which does not divide the {n_chips} chips.",
        )
    dp = degrees["dp"] or n_chips // used_chips
    if dp * used_chips != n_chips:
        raise Fault(
            "bad-layout",
            f"tp x pp x cp x dp is {dp * used_chips}, and n_chips {n_chips}; dp includes ep and is "
            f"{n_chips // used_chips} here.",
        )
    stated = _zero(cells)
    zero = used.zero if stated is None else stated
    if stated is None and dp > 1:
        said.append(f"sharding not stated: ZeRO {zero}, as usual with {used.name}")
    sequence = _known(cells, "sequence_parallel")
    if sequence in ("0", "1"):
        sequence_parallel = sequence == "1"
    else:
        sequence_parallel = used.sequence_parallel
        if tp > 1:
            word = "on" if sequence_parallel else "off"
            said.append(f"sequence parallelism not stated: {word}, as usual with {used.name}")
    fields: dict[str, Any] = {
        "tp": tp, "pp": pp, "cp": cp, "dp": dp, "ep": degrees["ep"] or 1, "zero": zero,
        "vp": degrees["vp"] or 1 if pp > 1 else 1,
        "sequence_parallel": sequence_parallel and tp > 1,
    }  # fmt: skip
    fields["expert_tp"] = _expert_tp(fields, used, said)
    if pp > 1 and degrees["vp"] is None:
        said.append("virtual stages not stated: none")
    try:
        return TrainingLayout.parse(fields, "layout")
    except RidgelineError as error:
        raise Fault("bad-layout", " ".join(str(error).split())) from None


def _expert_tp(fields: dict[str, Any], used: Framework, said: list[str]) -> int | None:
    """Chips that share one expert, which tables do not state: None for as many as TP."""
    if fields["ep"] == 1:
        return None
    if used.expert_tp == "one":
        return 1
    ranks = fields["dp"] * fields["cp"] * fields["tp"]
    if not ranks % (fields["ep"] * fields["tp"]) or ranks % fields["ep"]:
        return None
    said.append("chips of one expert not stated: one, since as many as TP cannot be")
    return 1


def _known(cells: Cells, column: str) -> str:
    text = cells.get(column, "")
    return "" if text.casefold() in _UNKNOWN else text


def _zero(cells: Cells) -> int | None:
    """Stage of ZeRO that a cell states: a digit, ``fsdp``, ``distributed optimizer``, ``ddp``."""
    text = (_known(cells, "zero_stage") or _known(cells, "fsdp_or_zero")).casefold()
    if not text:
        return None
    if "fsdp" in text or "hsdp" in text or text in ("true", "yes"):
        return 3
    if digit := re.search(r"[0-3]", text):
        return int(digit[0])
    if "dist" in text or "opt" in text:
        return 1
    if "ddp" in text or text.startswith("no") or text == "false":
        return 0
    return 3 if "full" in text else None


def _load(
    cells: Cells,
    layout: TrainingLayout,
    used: Framework,
    notes: str,
    task: str,
    said: list[str],
) -> tuple[TrainingLoad, int]:
    seq_len = _needed(cells, "seq_len")
    micro = count(_known(cells, "micro_batch"), "micro_batch")
    global_batch = count(_known(cells, "global_batch"), "global_batch")
    tokens = number(cells.get("tokens_per_step", ""), "tokens_per_step")
    if global_batch is None and tokens is not None:
        global_batch = max(round(tokens / seq_len), 1)
    if global_batch is None:
        own = local_batch(notes) or (micro or 1) * (4 * layout.pp if layout.pp > 1 else 1)
        global_batch = own * layout.dp
        said.append(f"global batch not stated: taken as {global_batch}, {own} a rank")
    if global_batch % layout.dp:
        near = max(global_batch // layout.dp, 1) * layout.dp
        raise Fault(
            "bad-batch",
            f"global_batch is {global_batch}, which dp ({layout.dp}) does not divide; the nearest "
            f"that it divides is {near}.",
        )
    own = global_batch // layout.dp
    if micro is None:
        n_chunks = layout.pp * layout.vp
        split = used.pipelines_split_by_chunks and layout.pp > 1 and own % n_chunks == 0
        micro = own // n_chunks if split else 1
        said.append(f"micro batch not stated: taken as {micro}")
    if own % micro:
        fits = [m for m in range(1, own + 1) if own % m == 0]
        near = min(fits, key=lambda m: abs(m - micro))
        raise Fault(
            "bad-batch",
            f"micro_batch is {micro}, which does not divide the {own} sequences of a rank "
            f"(global_batch / dp); the nearest that does is {near}.",
        )
    document = None
    if task in ("sft", "finetune") and "packed" in notes:
        document = min(_PACKED_TOKENS, seq_len)
        said.append(f"packed documents of {document} tokens: an assumption")
    return TrainingLoad(seq_len=seq_len, global_batch=global_batch, document=document), micro


def _recipe(
    cells: Cells,
    model: Model,
    layout: TrainingLayout,
    used: Framework,
    notes: str,
    micro: int,
    said: list[str],
) -> TrainingRecipe:
    task = _word(cells.get("task", ""), _TASKS, "task")
    fields: dict[str, Any] = {
        "precision": _precision(cells, notes, said), "micro_batch": micro, "task": task,
        "schedule": _schedule(cells, layout, notes),
    }  # fmt: skip
    named = _known(cells, "optimizer").casefold() or optimizer(notes)
    if named:
        fields["optimizer"] = "adamw" if named in ("adam", "adamw") else named
    fields |= _recompute(_known(cells, "recompute").casefold(), model, layout, used, notes, said)
    try:
        return TrainingRecipe.parse(fields, "recipe")
    except RidgelineError as error:
        raise Fault("bad-recipe", " ".join(str(error).split())) from None


def _precision(cells: Cells, notes: str, said: list[str]) -> str:
    word = _known(cells, "precision").casefold().replace("_", "-")
    if not word:
        said.append("precision not stated: bf16")
        return "bf16"
    if "fp4" in word:
        return "nvfp4"
    if "fp8" in word or word.startswith("f8"):
        given = f"{word} {notes.casefold()}"
        if "mxfp8" in given or "fp8-mx" in given:
            return "mxfp8"
        return "fp8-block" if "block" in given or "128x128" in given else "fp8"
    if word.startswith(("amp-", "mixed-")):
        word = word.partition("-")[2]
    return _word(word, _PRECISIONS, "precision")


def _schedule(cells: Cells, layout: TrainingLayout, notes: str) -> str | None:
    if layout.pp == 1:
        return None
    word = _known(cells, "schedule").casefold()
    if word in ("", "none", "1f1b", "interleaved"):
        return None  # 1f1b, interleaved where there are virtual stages
    found = schedule_of(notes) or schedule_of(f"pipeline schedule {word}")
    if not found:
        raise Fault("unknown-schedule", f"schedule is {word!r}; 1f1b, interleaved, gpipe, zb-h1, "
                    "zb-h2, zb-v, v-half, v-min, dualpipe or dualpipev is expected.")  # fmt: skip
    return found


def _recompute(
    word: str, model: Model, layout: TrainingLayout, used: Framework, notes: str, said: list[str]
) -> dict[str, Any]:
    stage_layers = -(-sum(b.repeat for b in model.blocks) // layout.pp)
    if not word:
        said.append(f"recompute not stated: {used.recompute}, as usual with {used.name}")
        return {"recompute": used.recompute}
    plain = next((name for starts, name in _RECOMPUTES if word.startswith(starts)), "")
    how = selective(notes) if plain == "selective" else ""
    if how == "op":
        return {"recompute": "products"}
    if how:
        layers = max(round(stage_layers / 2), 1)
        said.append(f"selective recompute ({how}) taken as {layers} of {stage_layers} layers")
        return {"recompute": "layers", "recompute_layers": layers}
    if plain:
        return {"recompute": plain}
    if digits := re.search(r"\d+", word):
        layers = min(int(digits[0]), stage_layers)
        return {"recompute": "layers", "recompute_layers": layers}
    said.append(f"recompute {word!r} taken as selective")
    return {"recompute": "selective"}


def _word(text: str, known: dict[str, str], column: str) -> str:
    word = text.strip().casefold()
    if word not in known:
        hint = did_you_mean(word, list(known))
        listed = ", ".join(sorted(filter(None, known)))
        raise Fault(f"unknown-{column}", f"{column} is {text!r}.{hint} Known are {listed}.")
    return known[word]
