"""The codec of sound over arrays and bytes: blocks with context, levels, rates, and files that are open."""
