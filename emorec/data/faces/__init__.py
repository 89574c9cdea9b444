"""Face detection, and the face crop of a clip."""
