"""Plain numpy versions of compiled functions of the package; tests compare both to the bit."""
