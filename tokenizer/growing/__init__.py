"""A vocabulary that is there gets more pieces: of new texts, or of other vocabularies."""
