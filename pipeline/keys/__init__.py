"""Keys of pages, addresses and ids, become the files that hold them."""
