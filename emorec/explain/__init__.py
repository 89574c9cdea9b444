"""Where and when a trained network looked, as pictures; and whether such pictures can be believed."""
