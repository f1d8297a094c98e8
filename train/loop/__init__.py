"""What a training run does around the model: objective, optimiser, checkpoints, processes, measurements."""
