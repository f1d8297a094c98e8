"""Texts become signals, signals become verdicts: measures, rules, thresholds by language and how they are fitted."""
