"""Files of any store: small ones whole, Parquet written and rewritten, what a stage says of its folder."""
