"""IEMOCAP."""
