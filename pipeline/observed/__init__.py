"""What a run says of itself while it goes on: counts, logs, what becomes of its stages."""
