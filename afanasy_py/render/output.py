"""The output of one task, kept within bounds."""

OUTPUT_MAX = 1 << 20
HALF = OUTPUT_MAX // 2
CUT_TEXT = b"\n\n@@@@@ The output is too long, its middle is cut out here. @@@@@\n\n"


class OutputBuffer:
    """Keeps the first and the last half megabyte: how a task began and how it ended matter most."""

    def __init__(self) -> None:
        self.head = bytearray()  # never more than HALF
        self.tail = bytearray()  # empty while head is not full; at most 2 * HALF between two cuts
        self.is_cut = False

    def append(self, text: bytes) -> None:
        """Add output at the end."""
        room = HALF - len(self.head)
        self.head += text[:room]
        self.tail += text[room:]
        if len(self.tail) > OUTPUT_MAX:  # cut rarely, not at each byte
            del self.tail[:-HALF]
            self.is_cut = True

    def value(self) -> bytes:
        """Return the output, at most OUTPUT_MAX bytes and the text that says it was cut."""
        if not self.is_cut and len(self.tail) <= HALF:
            return bytes(self.head + self.tail)
        return bytes(self.head + CUT_TEXT + self.tail[-HALF:])
