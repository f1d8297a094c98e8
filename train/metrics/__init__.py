"""Answers and vectors become figures: NumPy alone."""
