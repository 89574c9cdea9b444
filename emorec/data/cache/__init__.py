"""Frames are decoded once: what is kept of each clip, where, and who fills it."""
