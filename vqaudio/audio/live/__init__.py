"""Sound and files that are still arriving: read as they come, never twice."""
