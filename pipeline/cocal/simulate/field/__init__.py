"""What people know, say and claim of the invented land."""
