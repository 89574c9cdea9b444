"""The commands of `emorec`, a function each."""
