"""Texts become answers of a model, and answers what people and programs read."""
