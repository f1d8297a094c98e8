"""The user's lists: hosts, addresses, bad words, evaluation sets, pages to be taken down."""
