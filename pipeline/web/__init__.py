"""URLs become what they name, and what they name comes over the web, if it may."""
