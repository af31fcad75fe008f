"""Quantization-aware training: values that are rounded as the integer network will round them, and its tensors."""
