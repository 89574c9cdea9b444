"""Drawn clips: small videos shaped like RAVDESS, made without any download."""
