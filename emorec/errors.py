"""The one exception a user should ever see."""


class UserError(Exception):
    """A mistake the user can mend: one line that says what was wrong, with the value, and what to do.

    The command line prints it without a traceback and ends with exit code 2.
    """
