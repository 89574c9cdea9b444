"""Commands of `emorec`, one function a file; its arguments are the options."""
