"""What a device makes of the trainer: speed, where the time goes, whether its numbers are right."""
