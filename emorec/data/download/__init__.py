"""Downloading data sets: interruptible, resumable and checked."""
