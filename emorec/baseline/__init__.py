"""Simple classifiers on frozen features, measured on the same clips and in the same way as the networks."""
