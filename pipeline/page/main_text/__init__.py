"""The engine `blocks`: numbers describe the blocks of a page, a model chooses, and the chosen are written."""
