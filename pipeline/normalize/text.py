"""Text: whether the bytes of a message are any.

JSON is UTF-8 (RFC 8259, 8.1), but a decoder that skips names it doesn't know never looks at their bytes: a quote whose
name `bp` was damaged reads as a quote without a bid. So a message that is no text is refused whole.
"""


def is_text(payload: bytes) -> bool:
    """Whether bytes are UTF-8; plain ASCII, as nearly all messages are, is told apart at memory's speed."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def shown(payload: bytes) -> str:
    """The beginning of what can't be read, behind what is said of it: it is all that is left of it where no message is kept."""
    return f": {payload[:80]!r}"


def no_text(payload: bytes) -> str:
    """What is to be said of a message that is none."""
    return f"a message of {len(payload)} bytes is no text{shown(payload)}"
