"""Small tables without an engine: processes of this machine that read and write Parquet themselves."""
