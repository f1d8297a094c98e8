"""The stages: DataFrame to DataFrame."""
