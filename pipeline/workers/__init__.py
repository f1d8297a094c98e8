"""Functions over items by whatever workers there are, and what a person sees of them."""
