"""Records that an index names become requests for ranges of archives, and these become items."""
