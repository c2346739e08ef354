"""How weights are changed: steps, schedules, processes, checkpoints, what is said and noted meanwhile."""
