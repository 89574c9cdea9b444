"""Where a clip's face is, and what finds it."""
