"""Integers to residuals and back: predictors, and how a writer fits one to a column's share of a chunk."""
