"""Sizes of models with what suits them; a package, so that its files are installed."""
