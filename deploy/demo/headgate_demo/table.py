"""Plain tables, a row as soon as it is known: no colour, at most 100 columns."""

INDENT = "  "


class Table:
    """`columns` is ((heading, width), ...); a negative width aligns to the right."""

    def __init__(self, say, *columns):
        self._say = say
        self._widths = [width for _, width in columns]
        self.row(*(heading for heading, _ in columns))
        self.row(*("-" * abs(width) for width in self._widths))

    def row(self, *cells):
        texts = [self._cell(str(cell), width) for cell, width in zip(cells, self._widths, strict=True)]
        self._say((INDENT + INDENT.join(texts)).rstrip())

    @staticmethod
    def _cell(text, width):
        return text.rjust(-width) if width < 0 else text.ljust(width)
