"""What a satellite makes of the invented land."""
