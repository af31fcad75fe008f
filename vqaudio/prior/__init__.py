"""How likely codes are: what makes files smaller, scores sound and samples new sound. Integers only, and no torch.

Modules from the integers up: ``intervals``, ``base`` (the contract), ``uniform`` and ``context`` (baselines), ``grid``
and ``integer`` (a trained network in exact arithmetic), ``coding`` (codes to bytes), ``sampling`` (new codes).
What learns is :mod:`vqaudio.wavenet`.
"""
