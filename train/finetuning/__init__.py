"""Encoders become models of a task: fine-tuning on labelled examples."""
