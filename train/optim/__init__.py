"""The optimiser of a training run: schedules, parameter groups, update rules, clipping and weight averaging.

Nothing here waits for the device: a step whose gradient is not finite is undone there, and the host never looks.
"""
