"""One vocabulary for every language: learn it, export it to Hugging Face, measure what it costs each language."""
