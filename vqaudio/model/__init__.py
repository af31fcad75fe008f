"""The networks: layers, encoder, bottlenecks and decoder, the autoencoder of all three, and its file."""
