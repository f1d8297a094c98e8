"""Files in published layouts, as examples."""
