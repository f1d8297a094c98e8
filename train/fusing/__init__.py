"""Models as folders become one model as a folder."""
