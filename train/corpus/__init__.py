"""Shards become blocks of token ids, without torch."""
