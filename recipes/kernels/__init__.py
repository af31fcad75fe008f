"""How the kernels of tables are compiled."""
