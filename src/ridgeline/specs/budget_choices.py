"""What a question about a token budget chooses: size, tokens, efficiency, law of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from ridgeline.errors import SpecError
from ridgeline.specs.fields import Choice, Number, Value, option, shown
from ridgeline.specs.limits import BARE_TIME
from ridgeline.specs.loss_law import LossLaw
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.ranges import (
    CHIPS,
    CONTEXT_TOKENS,
    LENGTH_TOKENS,
    MFU,
    PARAMS,
    RUN_FLOPS,
    RUN_TOKENS,
)

__all__ = ["EfficiencyChoice", "LossChoice", "SizeChoice", "Split", "TokensChoice", "TrainLayout"]

#: how cost is shared: a third each; training as much as inference, RL as much as pre-training;
#: pre-training as much as inference, and no RL
Split = Literal["thirds", "halves", "without-rl"]

#: the layout whose MFU of training is taken: as `ridgeline.training` has it, or of its search
TrainLayout = Literal["plain", "best"]

#: the lecture's: a token of RL trained on in half of the rollouts, decoding at a third of the MFU
#: of training
_RL_FACTOR, _MFU_RATIO = 3.0, 1 / 3
_LAW_TEXT = "the name of a loss law, such as besiroglu-2024, or of a TOML file with one,"


def _law(value: object) -> str | LossLaw:
    if isinstance(value, LossLaw):
        return value
    if isinstance(value, Mapping):
        return LossLaw.parse(value, "the loss law")
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise SpecError(f"{_LAW_TEXT} is expected, not {shown(value)}.")


def _plain_law(value: str | LossLaw) -> object:
    return value if isinstance(value, str) else value.model_dump(mode="json")


_LAW: Final = Value(_LAW_TEXT, _law, _plain_law, ("string", "object"), ("besiroglu-2024",))


class SizeChoice(OptionRecord):
    """How large the model is, where none is named."""

    params: Annotated[float | None, PARAMS] = option(
        None, "Parameters in all, where no model is named; those active if not given.", "parameters"
    )
    active: Annotated[float | None, PARAMS] = option(
        None,
        "Parameters that multiply for a token, where no model is named; all of params if not "
        "given.",
        "parameters",
    )


class TokensChoice(OptionRecord):
    """Tokens that are given; the others follow from equal cost."""

    tokens: Annotated[float | None, RUN_TOKENS] = option(
        None,
        "Tokens of pre-training; if nothing else is given, those that a published model was "
        "trained on.",
        "tokens",
    )
    rl_tokens: Annotated[float | None, Number(1, 1e18, or_zero=True)] = option(
        None, "Tokens of RL, rollouts and what is trained on alike.", "tokens"
    )
    inference_tokens: Annotated[float | None, Number(1, 1e18, or_zero=True)] = option(
        None, "Tokens served while the model is deployed.", "tokens"
    )
    traffic: Annotated[float | None, Number(1e-3, 1e15)] = option(
        None, "Tokens served per second, with lifetime instead of inference_tokens.", "tokens/s"
    )
    lifetime: Annotated[float | None, Number(3600.0, 1e10, dimension="s", bare=BARE_TIME)] = option(
        None, "How long the model is deployed, with traffic.", "s"
    )
    deployed: Annotated[float, Number(0, 1, above=True)] = option(
        1.0, "Chance that the model is deployed at all, by which tokens served are derated."
    )
    compute: Annotated[float | None, RUN_FLOPS] = option(
        None,
        "What all three may cost together, in FLOPs at the MFU of training.",
        "FLOP",
    )
    split: Annotated[Split, Choice(get_args(Split))] = option(
        "thirds",
        "What costs as much as what: thirds (pre-training, RL and inference each a third), halves "
        "(pre-training and RL together as much as inference, and as much as each other) or "
        "without-rl (pre-training as much as inference).",
    )
    rl_factor: Annotated[float, Number(1, 100)] = option(
        _RL_FACTOR,
        "FLOPs of RL per parameter and token: 2 where rollouts are generated and not trained on, 6 "
        "where all are trained on; the lecture's 3 if not given.",
        "FLOP",
    )


class EfficiencyChoice(OptionRecord):
    """MFU of training and decoding: as given, else as a machine's answers have it."""

    train_mfu: Annotated[float | None, MFU] = option(
        None,
        "MFU of training, 6 N D over the chip's dense bf16 peak; with a machine that of "
        "ridgeline training if not given, else 0.4.",
    )
    train_layout: Annotated[TrainLayout, Choice(get_args(TrainLayout))] = option(
        "plain",
        "Layout whose MFU of training is taken, on a machine: plain, as ridgeline training has it, "
        "or best, the fastest that ridgeline training --search finds.",
    )
    decode_mfu: Annotated[float | None, MFU] = option(
        None,
        "MFU of serving, 2 N D over the same peak; with a machine that of ridgeline serving if not "
        "given.",
    )
    mfu_ratio: Annotated[float | None, Number(1e-4, 100)] = option(
        None,
        "MFU of serving over that of training, instead of decode_mfu; the lecture's third if "
        "neither it nor a machine is given.",
    )
    seq: Annotated[int, Number(1, 1e8, whole=True)] = option(
        4096, "Tokens of a sequence of training, on a machine.", "tokens"
    )
    global_batch: Annotated[int | None, Number(1, 10**9, whole=True)] = option(
        None,
        "Sequences of an optimizer step, on a machine; about 1,024, as many as ranks and stages "
        "divide, if not given.",
        "sequences",
    )
    context: Annotated[float, CONTEXT_TOKENS] = option(
        8192.0, "Cached tokens per sequence of serving, where no lengths are given.", "tokens"
    )
    isl: Annotated[float | None, LENGTH_TOKENS] = option(
        None,
        "Input tokens of a request: their prefill then counts with the tokens served.",
        "tokens",
    )
    osl: Annotated[float | None, LENGTH_TOKENS] = option(
        None, "Output tokens of a request, with isl.", "tokens"
    )
    chips: Annotated[int | None, CHIPS] = option(
        None, "Chips to train on; all of the machine if not given.", "chips"
    )

    @property
    def usual_ratio(self) -> float:
        """The same where nothing tells it: the lecture's. [1]"""
        return _MFU_RATIO


class LossChoice(OptionRecord):
    """How loss follows from parameters and tokens."""

    law: Annotated[str | LossLaw, _LAW] = option(
        "besiroglu-2024",
        "Fit of the loss: besiroglu-2024 (the refit), hoffmann-2022 (as printed), "
        "hoffmann-2022-tex, muennighoff-2023, or a TOML file with constants of your own.",
    )
    unique_tokens: Annotated[float | None, RUN_TOKENS] = option(
        None,
        "Tokens of distinct text available; beyond them text repeats, and is worth less and less. "
        "Unlimited if not given.",
        "tokens",
    )
    experts: Annotated[
        float | Literal["active", "clark"],
        Choice(("active", "clark"), Number(0.1, 1000, times=True)),
    ] = option(
        "active",
        "What a routed model's active parameters are worth in the loss: active (as many dense "
        "ones), clark (by a law fitted on small models of few, large experts) or a factor.",
    )
