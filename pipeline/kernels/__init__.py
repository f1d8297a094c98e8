"""Compiled code over Arrow's buffers: how it is compiled, how it sees texts, its hash tables."""
