"""The kinds of source: a module for each."""
