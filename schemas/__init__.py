"""The contracts between stages: one module a table family. Imports nothing of the project's own code."""
