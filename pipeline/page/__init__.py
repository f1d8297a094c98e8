"""A record's payload becomes a document: charset, main text behind guards, what the page says of itself."""
