"""The programs: parse, session, stage, write. Run them with spark-submit."""
