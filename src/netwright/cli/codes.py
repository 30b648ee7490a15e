"""Exit codes, and which error has which. They are part of the interface: `docs/cli.md` lists them."""

from __future__ import annotations

from netwright.errors import (
    NetwrightError,
    StoreError,
    StudyMismatchError,
    UsageError,
    VerificationError,
)

DIFFERENT = 1
USAGE = 2
FAILED = 3
STORE = 4
INTERNAL = 70
INTERRUPTED = 130


def exit_code(error: BaseException) -> int:
    """Exit code of an error.

    Example:
        >>> exit_code(UsageError("x")), exit_code(VerificationError("x")), exit_code(StoreError("x"))
        (2, 1, 4)
    """
    if isinstance(error, (UsageError, StudyMismatchError)):
        return USAGE
    if isinstance(error, VerificationError):
        return DIFFERENT
    if isinstance(error, (StoreError, OSError)):
        return STORE
    return FAILED if isinstance(error, (NetwrightError, MemoryError)) else INTERNAL
