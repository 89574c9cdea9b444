"""Studies: grids of experiments, or searches among settings, that survive being killed."""
