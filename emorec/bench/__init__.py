"""Where the time goes: speeds of each part of a training side by side, and what they are worth beside other ways."""
