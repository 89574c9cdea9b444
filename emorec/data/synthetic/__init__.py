"""Synthetic data: small drawn videos in the shape of RAVDESS, without any download."""
