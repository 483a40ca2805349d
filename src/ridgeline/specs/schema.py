"""JSON schemas of the records that people write: for editors, and for generated controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.specs.budget_scenario import BudgetScenario
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.dtype import Dtype
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import Load
from ridgeline.specs.loss_law import LossLaw
from ridgeline.specs.model import Model
from ridgeline.specs.price import Price
from ridgeline.specs.price_list import PriceList
from ridgeline.specs.rl_scenario import RLScenario
from ridgeline.specs.scenario import Scenario
from ridgeline.specs.training import TrainingLayout
from ridgeline.specs.training_scenario import TrainingScenario

if TYPE_CHECKING:
    from ridgeline.specs.record import Record

__all__ = ["SCHEMAS", "json_schema"]

SCHEMAS: dict[str, type[Record]] = {
    "budget-scenario": BudgetScenario,
    "chip": Chip,
    "cluster": Cluster,
    "dtype": Dtype,
    "layout": Layout,
    "load": Load,
    "loss-law": LossLaw,
    "model": Model,
    "price": Price,
    "price-list": PriceList,
    "rl-scenario": RLScenario,
    "scenario": Scenario,
    "training-layout": TrainingLayout,
    "training-scenario": TrainingScenario,
}


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a record as people may write it.

    Parameters
    ----------
    name : str   A key of `SCHEMAS`.

    Returns
    -------
    dict   Quantities accept numbers in SI, text with a unit, or a table with a source; each says
           its SI unit under ``unit``. A cluster's chip may be an id.

    Examples
    --------
    >>> json_schema("price")["properties"]["usd_per_chip_hour"]["unit"]
    'USD/h'
    """
    schema = SCHEMAS[name].model_json_schema()
    if name == "cluster":
        chip = schema["properties"]["chip"]
        by_id = {"type": "string", "description": "Id or TOML file of a chip."}
        schema["properties"]["chip"] = {"anyOf": [by_id, chip]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
