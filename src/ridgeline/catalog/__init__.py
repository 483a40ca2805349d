"""The data: one TOML per chip, cluster and model, each number with its source.

Look-ups take an id, an alias, or the path of a user's own TOML file; folders named in
``ridgeline.toml`` (see `user_folders`) are searched before the built-in ones.
"""

from typing import TYPE_CHECKING

from ridgeline.lazy import from_modules

if TYPE_CHECKING:
    from ridgeline.catalog._constants import (
        constants,
        fabric_constants,
        family_of,
        widest_constants,
    )
    from ridgeline.catalog._copies import copies
    from ridgeline.catalog._drafts import draft_table, drafting
    from ridgeline.catalog._engines import (
        assumptions,
        campaigns,
        effect_kinds,
        engine,
        engine_constants,
        engines,
        scheduling,
        training_constants,
        training_effect_kinds,
        usual_engine,
    )
    from ridgeline.catalog._entries import (
        MachineNamed,
        chip,
        cluster,
        machine_named,
        model,
        node_of,
        sources,
    )
    from ridgeline.catalog._flags import (
        deployment,
        deployments,
        device_of,
        engine_flags,
        engines_with_flags,
        known_flags,
    )
    from ridgeline.catalog._frameworks import (
        framework,
        framework_of,
        frameworks,
        rl_loop,
        training_memory,
    )
    from ridgeline.catalog._loss_laws import loss_law, loss_laws
    from ridgeline.catalog._published import published_run, published_runs
    from ridgeline.catalog._racks import rack, racks
    from ridgeline.catalog._search import find
    from ridgeline.catalog._store import entry_ids, rows_of, user_folders
    from ridgeline.catalog._stored import element_dtype, stored_as
    from ridgeline.catalog._training_flags import (
        known_training_flags,
        tools_with_training_flags,
        training_flags,
    )
    from ridgeline.catalog._write import to_toml
    from ridgeline.formats import dtype, dtypes
else:
    __getattr__ = from_modules(
        __name__,
        {
            "_constants": "constants fabric_constants family_of widest_constants",
            "_copies": "copies",
            "_drafts": "draft_table drafting",
            "_engines": (
                "assumptions campaigns effect_kinds engine engine_constants engines scheduling "
                "training_constants training_effect_kinds usual_engine"
            ),
            "_entries": "MachineNamed chip cluster machine_named model node_of sources",
            "_flags": (
                "deployment deployments device_of engine_flags engines_with_flags known_flags"
            ),
            "_frameworks": "framework framework_of frameworks rl_loop training_memory",
            "_loss_laws": "loss_law loss_laws",
            "_published": "published_run published_runs",
            "_racks": "rack racks",
            "_search": "find",
            "_store": "entry_ids rows_of user_folders",
            "_stored": "element_dtype stored_as",
            "_training_flags": "known_training_flags tools_with_training_flags training_flags",
            "_write": "to_toml",
            "ridgeline.formats": "dtype dtypes",
        },
    )

__all__ = [
    "MachineNamed",
    "assumptions",
    "campaigns",
    "chip",
    "cluster",
    "constants",
    "copies",
    "deployment",
    "deployments",
    "device_of",
    "draft_table",
    "drafting",
    "dtype",
    "dtypes",
    "effect_kinds",
    "element_dtype",
    "engine",
    "engine_constants",
    "engine_flags",
    "engines",
    "engines_with_flags",
    "entry_ids",
    "fabric_constants",
    "family_of",
    "find",
    "framework",
    "framework_of",
    "frameworks",
    "known_flags",
    "known_training_flags",
    "loss_law",
    "loss_laws",
    "machine_named",
    "model",
    "node_of",
    "published_run",
    "published_runs",
    "rack",
    "racks",
    "rl_loop",
    "rows_of",
    "scheduling",
    "sources",
    "stored_as",
    "to_toml",
    "tools_with_training_flags",
    "training_constants",
    "training_effect_kinds",
    "training_flags",
    "training_memory",
    "user_folders",
    "usual_engine",
    "widest_constants",
]
