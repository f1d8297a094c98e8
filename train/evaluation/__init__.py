"""Models become figures by language: what each is worth, side by side, beside what it has to beat."""
