"""The one thing that EXIF says about how a picture is to be seen: which way up it is."""

import struct
from typing import Final

__all__ = ["minimal_exif", "orientation_in"]

_TAG: Final = 0x0112
_SHORT: Final = 3
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}


def orientation_in(exif: bytes) -> int:
    """Read the orientation.

    Args:
        exif: a TIFF structure, as EXIF is one.

    Returns:
        1 to 8; 1 where there is none, or where the structure is broken.

    """
    order = _ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
            if tag == _TAG and kind == _SHORT:
                return int(value) if 1 <= value <= 8 else 1  # noqa: PLR2004 -- all there are
    except struct.error:
        pass
    return 1


def minimal_exif(orientation: int) -> bytes:
    """Write an EXIF structure that says nothing but the orientation.

    Args:
        orientation: 1 to 8.

    Returns:
        26 bytes.

    """
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _TAG, _SHORT, 1, orientation, 0, 0)
