"""How to start what was priced: commands of engines, and manifests of what deploys them."""

from ridgeline.questions.launch.commands import Command, Launch, launch
from ridgeline.questions.launch.manifests import manifest
from ridgeline.questions.launch.places import Place, placed, too_many_hosts
from ridgeline.questions.launch.quantities import Priced, refuses
from ridgeline.questions.launch.refused import NoneRunsError
from ridgeline.questions.launch.start import (
    first_started,
    first_that_runs,
    prompts_of_a_step,
    start,
    what_was_priced,
    why_not,
)

__all__ = [
    "Command",
    "Launch",
    "NoneRunsError",
    "Place",
    "Priced",
    "first_started",
    "first_that_runs",
    "launch",
    "manifest",
    "placed",
    "prompts_of_a_step",
    "refuses",
    "start",
    "too_many_hosts",
    "what_was_priced",
    "why_not",
]
