"""Reads text files in UTF-8, also compressed (.gz); what is wrong is told with file and line."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from netwright.errors import DataError


def read_text(path: Path) -> str:
    """The text of a file, without a mark of byte order, lines ended by a line feed alone.

    Raises:
        DataError: it is not there, damaged, or not UTF-8; names the line.
    """
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        cure = "save it as UTF-8 (iconv -f latin1 -t utf-8)"
        raise DataError(f"{path}, line {line}: byte {data[error.start]:#04x} is no UTF-8; {cure}") from None
