"""Texts become fit to be kept: repaired, personal data masked."""
