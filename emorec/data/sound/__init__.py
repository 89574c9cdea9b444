"""The sound of a clip: read, brought to one rate and one length, varied."""
