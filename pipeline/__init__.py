"""From web archives to a multilingual corpus."""
