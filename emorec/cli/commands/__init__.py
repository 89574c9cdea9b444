"""The plain commands, one function a file: its signature is the command line, its docstring the help."""
