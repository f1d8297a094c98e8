"""Encoders become folders, as transformers has them, and folders encoders."""
