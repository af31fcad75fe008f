"""Models in use, over numpy arrays: what codecs ask of networks, whatever runs them. No torch."""
