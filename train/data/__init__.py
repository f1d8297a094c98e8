"""Blocks of token ids become packed batches, in NumPy alone: which documents, in which order, in which bin."""
