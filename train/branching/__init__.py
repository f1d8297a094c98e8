"""A seed, its branches and their fusion, step by step, against joint training."""
