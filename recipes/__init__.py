"""How each shipped model was trained and measured, a folder each; ``stages`` runs them all."""
