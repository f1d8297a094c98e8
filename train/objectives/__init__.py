"""Objectives: what each asks of a piece of text, and the loss of what the model answers."""
