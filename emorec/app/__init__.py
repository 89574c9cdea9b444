"""One page on this machine: drop a video, see what a trained network makes of it."""
