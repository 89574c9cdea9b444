"""Model cards: what a trained network is, how well it does on whom, and what it is not for."""
