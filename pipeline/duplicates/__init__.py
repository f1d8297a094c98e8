"""Texts become signatures, signatures become clusters: MinHash, buckets, similarity, components."""
