"""Texts become vectors of an exported encoder, vectors a learnt score."""
