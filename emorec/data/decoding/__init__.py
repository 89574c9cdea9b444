"""Some frames of a video file, whichever decoder reads it."""
