"""Ridgeline: what it takes to serve a large language model, from first principles.

::

    import ridgeline as rl

    model = rl.model("deepseek-ai/DeepSeek-V3")  # or a config.json, or rl.Model.from_counts(…)
    rack = rl.cluster("gb200-nvl72")  # or a chip, or a TOML file
    curve = rl.serving(model, rack, context=8192, batch=rl.logspace(1, 16_384))
    print(curve.explain(batch=2400))
    curve.chart("cost").save("cost.png")

Names are loaded when first used, so that ``import ridgeline`` itself costs nothing.
"""

TYPE_CHECKING = False  # as type checkers know it; `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from ridgeline.answers import Answer as Answer
    from ridgeline.answers import Table as Table
    from ridgeline.catalog import chip as chip
    from ridgeline.catalog import cluster as cluster
    from ridgeline.catalog import dtype as dtype
    from ridgeline.catalog import model as model
    from ridgeline.errors import RidgelineError as RidgelineError
    from ridgeline.fidelity.asking import predict as predict
    from ridgeline.fidelity.asking import validate as validate
    from ridgeline.grid import logspace as logspace
    from ridgeline.questions.advice import advice as advice
    from ridgeline.questions.budget import Budget as Budget
    from ridgeline.questions.budget import budget as budget
    from ridgeline.questions.compare import compare as compare
    from ridgeline.questions.design import design as design
    from ridgeline.questions.generations import generations as generations
    from ridgeline.questions.layouts import Fleet as Fleet
    from ridgeline.questions.layouts import Layouts as Layouts
    from ridgeline.questions.layouts import fleet as fleet
    from ridgeline.questions.layouts import layouts as layouts
    from ridgeline.questions.machines import chips as chips
    from ridgeline.questions.machines import clusters as clusters
    from ridgeline.questions.models import models as models
    from ridgeline.questions.pipelining import pipelining as pipelining
    from ridgeline.questions.racks import racks as racks
    from ridgeline.questions.rl_step import RLStep as RLStep
    from ridgeline.questions.rl_step import rl_step as rl_step
    from ridgeline.questions.scaleup import scaleup as scaleup
    from ridgeline.questions.scaling import Scaling as Scaling
    from ridgeline.questions.scaling import scaling as scaling
    from ridgeline.questions.sensitivity import sensitivity as sensitivity
    from ridgeline.questions.serving import Comparison as Comparison
    from ridgeline.questions.serving import Serving as Serving
    from ridgeline.questions.serving import serving as serving
    from ridgeline.questions.sparsity import sparsity as sparsity
    from ridgeline.questions.sweep import Sweep as Sweep
    from ridgeline.questions.sweep import sweep as sweep
    from ridgeline.questions.tiers import tiers as tiers
    from ridgeline.questions.training import Training as Training
    from ridgeline.questions.training import training as training
    from ridgeline.questions.training_layouts import TrainingLayouts as TrainingLayouts
    from ridgeline.questions.training_layouts import training_layouts as training_layouts
    from ridgeline.questions.wall import wall as wall
    from ridgeline.readers import read_config as read_config
    from ridgeline.specs import Chip as Chip
    from ridgeline.specs import Cluster as Cluster
    from ridgeline.specs import Layout as Layout
    from ridgeline.specs import Load as Load
    from ridgeline.specs import Model as Model
    from ridgeline.specs import Price as Price
    from ridgeline.specs.budget_scenario import BudgetScenario as BudgetScenario
    from ridgeline.specs.lengths import Lengths as Lengths
    from ridgeline.specs.limits import Limits as Limits
    from ridgeline.specs.rl_scenario import RLScenario as RLScenario
    from ridgeline.specs.scenario import Scenario as Scenario
    from ridgeline.specs.training import TrainingLayout as TrainingLayout
    from ridgeline.specs.training_scenario import TrainingScenario as TrainingScenario
    from ridgeline.specs.workload import Workload as Workload
    from ridgeline.steps import counts as counts

__version__ = "0.2.0.dev0"

_HOME = {
    "Answer": "answers",
    "Table": "answers",
    "chip": "catalog",
    "cluster": "catalog",
    "dtype": "catalog",
    "model": "catalog",
    "RidgelineError": "errors",
    "predict": "fidelity.asking",
    "validate": "fidelity.asking",
    "logspace": "grid",
    "read_config": "readers",
    "advice": "questions.advice",
    "Budget": "questions.budget",
    "budget": "questions.budget",
    "design": "questions.design",
    "generations": "questions.generations",
    "Fleet": "questions.layouts",
    "Layouts": "questions.layouts",
    "fleet": "questions.layouts",
    "layouts": "questions.layouts",
    "chips": "questions.machines",
    "clusters": "questions.machines",
    "models": "questions.models",
    "pipelining": "questions.pipelining",
    "racks": "questions.racks",
    "RLStep": "questions.rl_step",
    "rl_step": "questions.rl_step",
    "scaleup": "questions.scaleup",
    "Scaling": "questions.scaling",
    "scaling": "questions.scaling",
    "sensitivity": "questions.sensitivity",
    "sparsity": "questions.sparsity",
    "tiers": "questions.tiers",
    "Training": "questions.training",
    "training": "questions.training",
    "TrainingLayouts": "questions.training_layouts",
    "training_layouts": "questions.training_layouts",
    "wall": "questions.wall",
    "Comparison": "questions.serving",
    "Serving": "questions.serving",
    "compare": "questions.compare",
    "serving": "questions.serving",
    "Sweep": "questions.sweep",
    "sweep": "questions.sweep",
    "Chip": "specs",
    "Cluster": "specs",
    "Layout": "specs",
    "BudgetScenario": "specs.budget_scenario",
    "Lengths": "specs.lengths",
    "Limits": "specs.limits",
    "RLScenario": "specs.rl_scenario",
    "Scenario": "specs.scenario",
    "TrainingLayout": "specs.training",
    "TrainingScenario": "specs.training_scenario",
    "Workload": "specs.workload",
    "Load": "specs",
    "Model": "specs",
    "Price": "specs",
    "counts": "steps",
}

__all__ = [
    "Answer",
    "Budget",
    "BudgetScenario",
    "Chip",
    "Cluster",
    "Comparison",
    "Fleet",
    "Layout",
    "Layouts",
    "Lengths",
    "Limits",
    "Load",
    "Model",
    "Price",
    "RLScenario",
    "RLStep",
    "RidgelineError",
    "Scaling",
    "Scenario",
    "Serving",
    "Sweep",
    "Table",
    "Training",
    "TrainingLayout",
    "TrainingLayouts",
    "TrainingScenario",
    "Workload",
    "advice",
    "budget",
    "chip",
    "chips",
    "cluster",
    "clusters",
    "compare",
    "counts",
    "design",
    "dtype",
    "fleet",
    "generations",
    "layouts",
    "logspace",
    "model",
    "models",
    "pipelining",
    "predict",
    "racks",
    "read_config",
    "rl_step",
    "scaleup",
    "scaling",
    "sensitivity",
    "serving",
    "sparsity",
    "sweep",
    "tiers",
    "training",
    "training_layouts",
    "validate",
    "wall",
]


if not TYPE_CHECKING:  # a type checker knows every name from above, and sees what is misspelt
    del TYPE_CHECKING

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'ridgeline' has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  (only when something is used)

        value = getattr(import_module(f"ridgeline.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
