"""The chosen blocks of a page as Markdown: what each is by the tags above it, tables, escapes, lines."""
