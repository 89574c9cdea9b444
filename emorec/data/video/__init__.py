"""Reading video files: one interface, three decoding libraries."""
