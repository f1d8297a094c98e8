"""Models of several vocabularies become models of one."""
