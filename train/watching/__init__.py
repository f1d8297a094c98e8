"""The checkpoints of a run that goes on become lines of figures."""
