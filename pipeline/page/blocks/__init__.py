"""A page's tags become blocks of text and a tree of elements, in one pass."""
