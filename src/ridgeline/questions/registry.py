"""All questions, once: commands, pages and the library's names follow from this list.

Nothing is imported until it is used: functions and commands are named by their import paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

__all__ = ["GROUPS", "QUESTIONS", "Question", "load"]

Group = Literal["plan", "lecture", "data", "measure"]

#: group -> its heading, in the order in which groups are listed
GROUPS: dict[Group, str] = {
    "plan": "Plan a deployment or a training run",
    "lecture": "Questions of the lecture",
    "data": "Models and machines",
    "measure": "Predictions and measurements",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question that Ridgeline answers.

    Attributes
    ----------
    name : str       Of the command; with underscores of the function where the library exports it.
    group : str      One of `GROUPS`.
    summary : str    One sentence that fits a line of ``ridgeline --help``.
    function : str   The library's function: its import path within the package, ``module:name``.
    command : str    The command's; empty where only the library answers.
    """

    name: str
    group: Group
    summary: str
    function: str
    command: str = ""


def load(path: str) -> Any:
    """Import what ``module:name`` within the package stands for.

    Examples
    --------
    >>> load("questions.registry:load").__name__
    'load'
    """
    module, _, name = path.partition(":")
    return getattr(import_module(f"ridgeline.{module}"), name)


# fmt: off
QUESTIONS: tuple[Question, ...] = (
    Question("serving", "plan",
             "Step time, bottleneck and cost per token of one deployment.",
             "questions.serving:serving", "cli.serving:serving"),
    Question("layouts", "plan",
             "The best parallel layouts and batches within latency limits.",
             "questions.layouts:layouts", "cli.layouts:layouts"),
    Question("training", "plan",
             "Step time, memory, utilization and cost of training a model.",
             "questions.training:training", "cli.training:training"),
    Question("training_layouts", "plan",
             "The best layout, recompute and micro-batch of a training job.",
             "questions.training_layouts:training_layouts"),
    Question("scaling", "plan",
             "Training on more chips: what they buy, and where it ends.",
             "questions.scaling:scaling", "cli.scaling:scaling"),
    Question("rl-step", "plan",
             "A step of reinforcement learning: samples, training, weights.",
             "questions.rl_step:rl_step", "cli.rl_step:rl_step"),
    Question("budget", "plan",
             "Tokens for pre-training, RL and inference, and what they cost.",
             "questions.budget:budget", "cli.budget:budget"),
    Question("fleet", "plan",
             "The fewest chips that serve a rate within latency limits.",
             "questions.layouts:fleet"),
    Question("compare", "plan",
             "One model on several machines, side by side.",
             "questions.compare:compare"),
    Question("advice", "plan",
             "What to change about a deployment, and what each change saves.",
             "questions.advice:advice"),
    Question("sweep", "plan",
             "Step time and cost over any numeric fields of any records.",
             "questions.sweep:sweep", "cli.sweep:sweep"),
    Question("tiers", "lecture",
             "Fast and slow tiers: price against speed on one machine.",
             "questions.tiers:tiers", "cli.tiers:tiers"),
    Question("sparsity", "lecture",
             "More experts per active parameter: quality and traffic.",
             "questions.sparsity:sparsity", "cli.tiers:sparsity"),
    Question("racks", "lecture",
             "Experts over the chips of a scale-up domain and beyond it.",
             "questions.racks:racks", "cli.racks:racks"),
    Question("pipelining", "lecture",
             "Pipeline stages in decoding: memory saved, latency added.",
             "questions.pipelining:pipelining", "cli.racks:pipelining"),
    Question("scaleup", "lecture",
             "Weight-fetch time and context by size of scale-up domain.",
             "questions.scaleup:scaleup", "cli.racks:scaleup"),
    Question("generations", "lecture",
             "Hardware ratio and drain time by generation of chips.",
             "questions.generations:generations", "cli.racks:generations"),
    Question("wall", "lecture",
             "The memory wall: longest context at a latency and a price.",
             "questions.wall:wall", "cli.wall:wall"),
    Question("design", "lecture",
             "Model sizes, sparsities and caches that a machine can serve.",
             "questions.design:design", "cli.wall:design"),
    Question("sensitivity", "lecture",
             "Elasticity of time and cost to every constant.",
             "questions.sensitivity:sensitivity", "cli.wall:sensitivity"),
    Question("ciphers", "lecture",
             "How ciphers and random networks mix.",
             "mixing.ciphers:study", "cli.ciphers:ciphers"),
    Question("reversible", "lecture",
             "Memory, time and precision of reversible networks, measured.",
             "mixing.reversible:measure", "cli.reversible:reversible"),
    Question("models", "data",
             "Search models, or read any config.json.",
             "questions.models:models", "cli.models:models"),
    Question("chips", "data",
             "Search chips and clusters, with the source of every number.",
             "questions.machines:chips", "cli.chips:chips"),
    Question("clusters", "data",
             "Search clusters: links, networks and prices.",
             "questions.machines:clusters"),
    Question("predict", "measure",
             "Predict the runs of a table, with 80% intervals.",
             "fidelity.asking:predict", "cli.predict:predict"),
    Question("validate", "measure",
             "Predict measured runs and score the predictions.",
             "fidelity.asking:validate", "cli.validate:validate"),
    Question("calibrate", "measure",
             "Fit the constants of engines to measured runs.",
             "fidelity.engines.calibrate:calibrate", "cli.calibrate:calibrate"),
    Question("components", "measure",
             "Score the laws of single operators on measured kernels.",
             "fidelity:calibrate", "cli.components:components"),
)
# fmt: on
