"""Labelled texts become a language model, its word lists, and an account of how good both are."""
