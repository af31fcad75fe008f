"""Columns to integers and back: the encodings that files know, and how a writer chooses one for a column."""
