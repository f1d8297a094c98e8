"""Parents become one model: checked, matched, merged a tensor at a time, and written as a folder."""
