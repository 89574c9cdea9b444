"""RAVDESS comes from Zenodo, whole and safe, whatever the network does on the way."""
