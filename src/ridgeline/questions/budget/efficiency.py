"""How efficient training and serving are: as given, as a machine's answers have it, or assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import percent, quantity
from ridgeline.catalog import MachineNamed
from ridgeline.catalog import dtype as dtype_of
from ridgeline.errors import InfeasibleError
from ridgeline.laws.budget import FORWARD_FLOPS, TRAINING_FLOPS, token_flops
from ridgeline.questions.lengths import length_notes, longest
from ridgeline.questions.machine_words import machine_words
from ridgeline.questions.serving import serving
from ridgeline.questions.setup import one_machine
from ridgeline.questions.training.question import train
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training.words import layout_words
from ridgeline.questions.training_layouts import search_training
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.steps.machine import compute_dtype
from ridgeline.trainer.memory import LIKELY

if TYPE_CHECKING:
    from ridgeline.questions.serving import Serving
    from ridgeline.questions.training import Training
    from ridgeline.specs.budget_choices import TrainLayout
    from ridgeline.specs.budget_scenario import BudgetScenario
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price

__all__ = ["Efficiency", "Fleet", "efficiency_of"]

#: of training, where nothing tells it
_TRAIN_MFU = 0.4


@dataclass(frozen=True)
class Fleet:
    """The chips that train, and what they cost.

    Attributes
    ----------
    cluster : Cluster
    n_chips : int
    peak_flops_per_s : float   Dense, of a chip. [FLOP/s]
    peak_dtype : str           The format of that: bf16 where the chip has it.
    price : Price or None
    training : Training or None   The step whose MFU is taken.
    serving : Serving or None     The deployment whose MFU is taken.
    """

    cluster: Cluster
    n_chips: int
    peak_flops_per_s: float
    peak_dtype: str
    price: Price | None
    training: Training | None = None
    serving: Serving | None = None

    @property
    def is_too_small(self) -> bool:
        """Whether the step whose MFU is taken does not fit the chips' memory."""
        return self.training is not None and _is_too_small(self.training)

    @property
    def name(self) -> str:
        """Number and kind of chips."""
        return machine_words(self.cluster, self.n_chips)


@dataclass(frozen=True)
class Efficiency:
    """MFU of training and of serving, over one peak.

    Attributes
    ----------
    train_mfu : float or None   None where only their ratio is known. [1]
    ratio : float               Of serving over training. [1]
    said : tuple of str         Where each comes from.
    fleet : Fleet or None       None without a machine.
    """

    train_mfu: float | None
    ratio: float
    said: tuple[str, ...]
    fleet: Fleet | None = None

    @property
    def decode_mfu(self) -> float | None:
        """Of serving; None where only the ratio is known. [1]"""
        return None if self.train_mfu is None else self.ratio * self.train_mfu


def efficiency_of(
    scenario: BudgetScenario, model: Model, n_params_active: float, named: MachineNamed | None
) -> Efficiency:
    """The MFU of training and of serving.

    Parameters
    ----------
    scenario : BudgetScenario
    model : Model              With or without blocks; only those with blocks are timed.
    n_params_active : float
    named : MachineNamed or None   The machine, found already.

    Raises
    ------
    SpecError         Several machines.
    InfeasibleError   Nothing joins so many chips.
    """
    if named is None and scenario.machines:
        named = one_machine(scenario.machines)
    if named is None:
        return _without_machine(scenario)
    return _on_machine(scenario, model, n_params_active, named)


def _without_machine(scenario: BudgetScenario) -> Efficiency:
    use = scenario.efficiency
    said = []
    train = use.train_mfu
    if use.mfu_ratio is not None:
        ratio = use.mfu_ratio
    elif use.decode_mfu is not None:
        if train is None:
            train = _TRAIN_MFU
            said.append(f"The MFU of training is taken to be {percent(train)} (--train-mfu).")
        ratio = use.decode_mfu / train
    else:
        ratio = use.usual_ratio
        said.append(
            "Serving is taken to reach a third of the MFU of training, as in the lecture "
            "(--mfu-ratio; with --on both are computed)."
        )
    return Efficiency(train, ratio, tuple(said))


def _on_machine(
    scenario: BudgetScenario, model: Model, n: float, named: MachineNamed
) -> Efficiency:
    use, chip = scenario.efficiency, named.cluster.chip
    asked = TrainingScenario.of(
        model,
        named.cluster,
        seq=use.seq,
        global_batch=use.global_batch,
        chips=use.chips,
        reading=scenario.reading,
        price=scenario.price.usd_per_chip_hour,
        basis=scenario.price.basis,
        prices=scenario.price.prices,
    )
    setup = TrainingSetup(asked, given_machine=named)
    dtype = compute_dtype(dtype_of("bf16"), chip)
    peak = chip.peak[dtype]
    said: list[str] = []
    train_mfu, step = _train_mfu(scenario, model, n, asked, named, (dtype, peak), said)
    decode_mfu, served = _decode_mfu(scenario, model, n, named, peak, train_mfu, said)
    fleet = Fleet(setup.cluster, setup.n_chips, peak, dtype, setup.price, step, served)
    return Efficiency(train_mfu, decode_mfu / train_mfu, tuple(said), fleet)


def _train_mfu(
    scenario: BudgetScenario, model: Model, n: float, asked: TrainingScenario,
    named: MachineNamed, peak: tuple[str, float], said: list[str],
) -> tuple[float, Training | None]:  # fmt: skip
    use = scenario.efficiency
    if use.train_mfu is not None:
        return use.train_mfu, None
    if not model.blocks:
        said.append(
            f"The MFU of training is taken to be {percent(_TRAIN_MFU)} (--train-mfu): of a model "
            "known by its size alone no step can be timed."
        )
        return _TRAIN_MFU, None
    step = _step(asked, named, use.train_layout)
    dtype, flops_per_s = peak
    mfu = token_flops(TRAINING_FLOPS, n, step.tokens_per_s_per_chip) / flops_per_s
    how = {"plain": "plain: --train-layout best searches", "best": "the fastest that fits"}
    said.append(
        f"MFU of training {percent(mfu)}, as 6 N D over the dense {dtype} peak: {step.name}, "
        f"{layout_words(step.job.layout)} ({how[use.train_layout]}), "
        f"{quantity(step.tokens_per_s_per_chip, 'tok/s')} tok/s per chip "
        f"({step.reading})."
    )
    if _is_too_small(step):
        said.append(
            "That layout does not fit the chips' memory: ridgeline training says what would make "
            "it fit."
        )
    said += step.notes
    return mfu, step


def _is_too_small(step: Training) -> bool:
    return step.fits_probability is not None and step.fits_probability < LIKELY


def _step(asked: TrainingScenario, named: MachineNamed, layout: TrainLayout) -> Training:
    """The step in the plain layout, or in the fastest of all that fit."""
    if layout == "plain":
        return train(asked, named=named)
    found = search_training(asked, "time", named=[named])
    if not found.rows:
        raise InfeasibleError(
            f"train_layout best: {' '.join(found.sentences())} Give train_mfu (--train-mfu), or "
            "ask for train_layout plain."
        )
    return found.best_training


def _decode_mfu(
    scenario: BudgetScenario, model: Model, n: float, named: MachineNamed, peak: float,
    train_mfu: float, said: list[str],
) -> tuple[float, Serving | None]:  # fmt: skip
    use = scenario.efficiency
    if use.decode_mfu is not None:
        return use.decode_mfu, None
    if use.mfu_ratio is not None:
        return use.mfu_ratio * train_mfu, None
    if not model.blocks:
        said.append(
            "Serving is taken to reach a third of the MFU of training (--mfu-ratio): of a model "
            "known by its size alone no step can be timed."
        )
        return use.usual_ratio * train_mfu, None
    lengths: dict[str, Any] = {"context": use.context}
    if use.isl is not None:
        lengths = {"isl": use.isl, "osl": use.osl}
    try:
        served = serving(
            model, named.cluster.chip, chips="best", reading=scenario.reading,
            price=scenario.price.usd_per_chip_hour, basis=scenario.price.basis,
            prices=scenario.price.prices, **lengths,
        )  # fmt: skip
    except InfeasibleError as error:
        said.append(
            f"Serving is taken to reach a third of the MFU of training (--mfu-ratio): {error}"
        )
        return use.usual_ratio * train_mfu, None
    row = served.chosen
    rate = row["tokens_per_s_per_chip"]
    if row["infeasible"] or not rate > 0:
        said.append(
            "Serving is taken to reach a third of the MFU of training (--mfu-ratio): "
            f"{served.sentences()[0]}"
        )
        return use.usual_ratio * train_mfu, None
    mfu = token_flops(FORWARD_FLOPS, n, rate) / peak
    load = (
        f"{use.context:,.0f} tokens of context each"
        if use.isl is None
        else f"requests of {use.isl:,.0f} + {use.osl:,.0f} tokens, prefill included"
    )
    n_sequences = f"{row['batch']:,.0f} per replica, {load}"
    batch = (
        f"the cheapest batch within the usual limits ({n_sequences})"
        if row["within_limits"]
        else f"the fastest batch ({n_sequences}): none keeps the usual limits"
    )
    said.append(
        f"MFU of serving {percent(mfu)}, as 2 N D over the same peak: {served.name} at {batch}; "
        f"{quantity(rate, 'tok/s')} output tok/s per chip ({served.reading})."
    )
    said += length_notes(model, longest(served.scenario.workload))
    return mfu, served
