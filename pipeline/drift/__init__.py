"""Two corpora become what has changed between them, and whether that is more than chance."""
