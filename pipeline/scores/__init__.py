"""Texts become scores of learnt models."""
