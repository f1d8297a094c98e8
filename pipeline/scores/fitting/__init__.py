"""Labelled documents become a classifier, and its judgement."""
