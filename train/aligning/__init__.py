"""Translations, dictionaries or plain text become a map, beside its cheap baselines."""
