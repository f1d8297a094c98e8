"""Geometry and colours of the report's pictures; templates draw them."""
