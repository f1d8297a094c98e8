"""Maps between languages as folders, and vectors that they are applied to."""
