"""Networks in integers, and the range coder that their frequencies drive: the same bytes on every machine. No torch.

``rangecoder`` writes integers by intervals, ``intervals`` makes these of weights, ``grids`` are the integers that stand
for a network's values, ``linear`` its layers, ``softmax`` its distributions, ``graph`` the layers as ONNX.
"""

INT8_SUFFIX = ".int8.safetensors"
"""Of the file with the integer network, beside the one in floating point that it was exported from."""
