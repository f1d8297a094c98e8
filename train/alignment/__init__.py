"""Two sets of vectors become a map between them. Arrays and tensors only: no files, no models."""
