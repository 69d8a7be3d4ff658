"""What a wrong setting raises."""


class ConfigError(ValueError):
    """A setting that is well typed and still makes no sense; the message begins with its key."""
