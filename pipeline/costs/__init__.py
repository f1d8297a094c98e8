"""What processes take: counted where it is taken, told by tasks, added up by the driver."""
