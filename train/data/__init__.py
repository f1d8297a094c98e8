"""Shards to packed batches, in NumPy alone: which document, in which order, in which bin, under which mask."""
