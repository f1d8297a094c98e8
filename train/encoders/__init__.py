"""Models as folders, opened by transformers: what evaluation and prediction ask."""
