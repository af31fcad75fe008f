"""How likely codes are: what makes files smaller, scores sound and samples new sound. Integers only, and no torch.

``base`` is the contract, ``context`` counts, ``integer`` is a trained prior in exact arithmetic: ``network`` defines
it, ``graphs`` says the same in ONNX, ``stepping`` and ``onnx_stepper`` go along codes by either. ``coding`` turns codes
into bytes, ``sampling`` makes new codes, ``entropy`` are the coders of files. What learns is :mod:`vqaudio.wavenet`.
"""

BEAM = 96
"""Ways to say texts that are followed at a time where the one that was said is looked for."""
