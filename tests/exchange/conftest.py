"""Makes `estimate_tables` importable under importlib mode."""
