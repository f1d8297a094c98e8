"""Held-out texts become what a masked language model makes of each hidden token."""
