"""The token budget: how many tokens to pre-train on, to spend on RL, to serve."""

from ridgeline.questions.budget.answer import Budget
from ridgeline.questions.budget.pictures import PICTURES
from ridgeline.questions.budget.question import budget, plan_budget

__all__ = ["PICTURES", "Budget", "budget", "plan_budget"]
