"""The encoder, its heads, and the Hugging Face checkpoint they read and write."""
