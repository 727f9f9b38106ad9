"""Takes symbols and debug information out of compiled modules: a fifth of the zip, and nothing that runs reads them.

The loader goes by the program headers alone. Debug information, symbols and the table of sections come after all that
is loaded, so a file can be cut there, whatever processor it is for and without its tools.
"""

import struct

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"


def without_symbols(module: bytes) -> bytes:
    """Return a compiled module without what is not loaded; what is no 64-bit little-endian ELF comes back as it is."""
    if not module.startswith(_ELF_64_LITTLE_ENDIAN):
        return module
    fields = list(_HEADER.unpack_from(module))
    segments_at, segment_size, segment_count = fields[5], fields[9], fields[10]
    ends = [segments_at + segment_size * segment_count]
    for number in range(segment_count):
        segment = _SEGMENT.unpack_from(module, segments_at + number * segment_size)
        offset, size_in_file = segment[2], segment[5]
        ends.append(offset + size_in_file)
    fields[6] = fields[12] = fields[13] = 0  # no table of sections any more: its place, its length, its names
    return _HEADER.pack(*fields) + module[_HEADER.size : max(ends)]
