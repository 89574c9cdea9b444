"""Where the time of a training or a prediction goes."""
