"""Studies: a grid of experiments, or a search among settings, as runs that Optuna hands out."""
