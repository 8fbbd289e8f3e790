"""The invented land: a function of place and day."""
