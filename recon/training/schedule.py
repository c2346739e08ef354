"""How fast weights are changed: a cosine with restarts, as a function of the step.

Refuses to know the optimiser, and to remember anything.
"""

from __future__ import annotations

import math

from recon.recipe import Recipe


def rate_at(step: int, steps_per_epoch: int, recipe: Recipe) -> float:
    """The learning rate of a step, which counts from 0 over a whole phase.

    A cycle first warms up, its first step being no idle one, and then falls by a cosine towards 0. The next
    one does the same from `decay` of where this one began. Both lengths are rounded to whole steps.
    """
    length = max(1, round(recipe.restart_epochs * steps_per_epoch))
    warm_up = round(recipe.warm_up_epochs * steps_per_epoch)
    cycle, at = divmod(step, length)
    highest = recipe.rate * recipe.decay**cycle
    if at < warm_up:
        return highest * (at + 1) / warm_up
    return highest * (1 + math.cos(math.pi * (at - warm_up) / (length - warm_up))) / 2
