"""Any data set listed in a CSV file."""
