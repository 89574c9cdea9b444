"""The plain commands, one thin file each: arguments, calls, what is printed."""
