"""What stages read and wrote, told to a lineage server."""
