"""Mutated inputs for :mod:`benchmarks.fuzz`: how they are made, what is asked of them, and where they run."""
