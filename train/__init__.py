"""Pretraining of one encoder on the shards; the programs read each other's folders and nothing of Spark."""
