"""Residuals to bytes and back: tokens whose frequencies adapt, or whose likelihoods a small network knows."""
