"""Characters, scripts and words: what all that measures a text rests on."""
