"""One data set a folder: a light parser of its files, and its Lightning data module."""
