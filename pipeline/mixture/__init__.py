"""Sizes of languages become how often each is seen."""
