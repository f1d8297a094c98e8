"""The engine's edge: session, tables, run records and connected components."""
