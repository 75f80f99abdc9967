"""Where recordings come from: sources, sessions and insertions, and the registry of their datasets."""
