"""A map that an office has drawn or classified itself, as the map of a run."""
