"""Typed settings of models and training runs.

Every section refuses unknown keys and values out of range, and names the key's full path in the message
(``model.encoder.channels: ...``). Settings are plain data: YAML on disk, JSON inside a checkpoint.
"""
