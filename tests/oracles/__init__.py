"""Plain numpy versions of what the package computes with compiled functions; tests compare both to the bit."""
