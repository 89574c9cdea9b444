"""RAVDESS."""
