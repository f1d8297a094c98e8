"""Archives become records: which archives there are, their bytes, the records in them, the payload of each."""
