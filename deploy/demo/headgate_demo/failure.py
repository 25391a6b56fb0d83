"""What ends the demo before its time."""


class Failure(Exception):
    """Something is not as it must be; the text is one line and says what to do or what was expected."""


class Interrupted(Exception):
    """Somebody asked the demo to end."""
