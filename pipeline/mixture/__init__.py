"""Documents' sizes become how often each is seen, and the shards that are seen."""
