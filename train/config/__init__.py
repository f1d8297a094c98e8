"""The configuration of a pretraining run: tables of fields, from presets, a TOML file and flags."""
