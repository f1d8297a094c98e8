"""Learned quality: what models say of texts, as scores and perplexities."""
