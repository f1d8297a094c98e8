"""Models behind a page: questions over HTTP become answers."""
