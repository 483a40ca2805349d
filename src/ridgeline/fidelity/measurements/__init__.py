"""Tables of measurements in, rows out: the schema, its reader, and files beside a table."""

from ridgeline.fidelity.measurements.reading import Seen, read_rows, row_chunks

__all__ = ["Seen", "read_rows", "row_chunks"]
