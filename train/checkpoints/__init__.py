"""Folders that appear whole or not at all, and are known to be whole when they are read."""
