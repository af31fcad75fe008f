"""How likely codes are: what makes files smaller, scores sound and samples new sound. Integers only, and no torch.

``base`` is the contract, ``context`` counts, ``integer`` is a trained network in exact arithmetic; ``coding`` turns
codes into bytes, ``sampling`` makes new codes, ``entropy`` are the coders of files. What learns is
:mod:`vqaudio.wavenet`.
"""
