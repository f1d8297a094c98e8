"""Two sets of vectors become one space: arrays in, matrices out. Rows are vectors, Z = X @ W."""
