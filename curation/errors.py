"""The one error that a person can act on."""


class UserError(Exception):
    """What was expected and found (`problem`), and what to do about it (`hint`); the command line exits with status 2."""

    def __init__(self, problem, hint):
        super().__init__(f"error: {problem}\nhint: {hint}")
        self.problem, self.hint = problem, hint
