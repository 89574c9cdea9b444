"""HACER."""
