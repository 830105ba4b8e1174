"""The error tree: one class for each party that may be at fault."""


class AfanasyError(Exception):
    """Base of everything this package raises on purpose."""


class ProtocolError(AfanasyError):
    """The peer broke the rules of the wire; the connection is answered if possible and closed."""


class RequestError(AfanasyError):
    """A request was understood and refused; the text is the answer, letter for letter."""


class StoreError(AfanasyError):
    """A file of the store could not be used; the farm keeps running in memory."""


class ConfigError(AfanasyError):
    """A setting is wrong; names the setting, the file and the value."""
