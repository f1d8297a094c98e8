"""HTML's own tokens over a page's bytes: tags, names, attributes, character references."""
