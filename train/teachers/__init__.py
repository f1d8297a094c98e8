"""Other models that a model learns from: which sequences each reads, and the losses of what it says of them."""
