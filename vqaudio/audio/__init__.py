"""Sound: the contract of sources, arrays and files behind it, pipes, resampling, and what writes sound."""
