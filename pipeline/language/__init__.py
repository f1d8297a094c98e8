"""Texts become languages: codes, fastText models, evidence of words, the identifier."""
