"""What searches over layouts share: what is best, what is too close to call, why others lose."""

from ridgeline.questions.families.family import (
    Family,
    cause,
    families,
    nearest,
    refused_words,
    told,
)
from ridgeline.questions.families.rank import (
    TOO_CLOSE,
    Rank,
    by_machine_words,
    close_words,
    front_of,
    simplest_first,
    tied,
)

__all__ = [
    "TOO_CLOSE",
    "Family",
    "Rank",
    "by_machine_words",
    "cause",
    "close_words",
    "families",
    "front_of",
    "nearest",
    "refused_words",
    "simplest_first",
    "tied",
    "told",
]
