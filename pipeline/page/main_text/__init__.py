"""The engine `blocks`: a page's tags become blocks of text, numbers describe them, a model chooses."""
