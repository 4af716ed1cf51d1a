"""What can go wrong with the embedded stack, each said in one sentence a person can act on."""


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do about it."""


class PortTakenError(StackError):
    """A port that must be the stack's is held by another program."""


class ServerMissingError(StackError):
    """A server program is not installed, or does not run on this machine."""


class NotReadyError(StackError):
    """A server or service did not become healthy in time, or ended before it did."""
