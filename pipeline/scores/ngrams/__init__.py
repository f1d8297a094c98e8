"""Texts become SentencePiece's pieces as cc_net cuts them, pieces the probabilities of n-grams in KenLM's files."""
