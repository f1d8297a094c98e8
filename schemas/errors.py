"""What a program tells its user: the class of errors that people can mend, for all programs, on both wings."""


class UserError(ValueError):
    """Something that the user can mend: a flag, a file, a table, a folder. The message is one line that names the thing
    and the way out; programs print it alone and end with status 2. Everything else that is raised is a bug of ours and
    keeps its trace. Is a ValueError so that pydantic's validators may raise it.
    """
