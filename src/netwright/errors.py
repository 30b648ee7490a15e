"""The exceptions of netwright, and the one form their messages have.

    NetwrightError
    ├── UsageError            something a person gave is wrong; the command line answers with exit code 2
    │   ├── SpaceError        a search space that cannot be, or an architecture that is not in it
    │   ├── SpecError         a specification (file, option, argument): names file, key, value, expected, cure
    │   ├── DataError         data that cannot be used: names the file and what is wrong in it
    │   ├── CapabilityError   parts that do not fit together, found when a search is constructed
    │   └── MissingDependencyError   an optional dependency is not installed: names the extra
    ├── StoreError            the history cannot be read or written
    │   ├── DiskFullError     no space is left; what was finished is stored, and a resume goes on
    │   └── StudyMismatchError   the folder holds another study, or this one with another space, data or code
    ├── TrialError            one trial went wrong; never ends a search
    │   └── ConstraintViolation  the architecture breaks a limit (size, latency, memory); not a failure
    ├── BuildError            an architecture that cannot be a network: names operation and shapes
    ├── ExportError           a network that cannot be written
    │   └── VerificationError an exported network that does not do what it did in the search
    └── SearchError           the search as a whole cannot go on (every trial fails, nothing feasible)
    SystemExit
    └── Interrupted           no error: a person or the system asked a search to stop

A message says: the argument, what it got, what is allowed, and a cure. `wrong` builds one.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from difflib import get_close_matches


class NetwrightError(Exception):
    """Root of all exceptions netwright raises on purpose."""


class UsageError(NetwrightError):
    """Something a person gave is wrong."""


class SpaceError(UsageError):
    """A search space that cannot be, or an architecture that is not in it."""


class SpecError(UsageError):
    """A specification, option or argument is wrong."""


class DataError(UsageError):
    """Data that cannot be used."""


class CapabilityError(UsageError):
    """Parts that do not fit together."""


class MissingDependencyError(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'netwright[{extra}]'"
        )
        self.package = package
        self.extra = extra


class StoreError(NetwrightError):
    """The history cannot be read or written."""


class DiskFullError(StoreError):
    """No space is left for a file of the search; what was finished is stored."""


class StudyMismatchError(StoreError):
    """The store holds another study, or this one with something changed."""


class TrialError(NetwrightError):
    """One trial went wrong."""


class ConstraintViolation(TrialError):
    """An architecture breaks a limit; recorded as infeasible, not as a failure.

    Args:
        metric: name of the limited quantity, such as ``params`` or ``memory_bytes``.
        value: what the architecture has.
        bound: what is allowed.
        metrics: everything measured before the limit was found to be broken.
    """

    def __init__(self, metric: str, value: float, bound: float, metrics: dict[str, float] | None = None) -> None:
        super().__init__(f"{metric} is {value:g}, the limit is {bound:g}")
        self.metric = metric
        self.value = value
        self.bound = bound
        self.metrics = dict(metrics or {})


class BuildError(NetwrightError):
    """An architecture that cannot be a network."""


class ExportError(NetwrightError):
    """A network that cannot be written."""


class VerificationError(ExportError):
    """An exported network does not do what it did in the search."""


class SearchError(NetwrightError):
    """The search as a whole cannot go on."""


class Interrupted(SystemExit):
    """A search was asked to stop by a signal before its budget was spent; what was finished is in its history.

    It is no `NetwrightError`, so that ``except Exception`` does not swallow a person's Ctrl-C. A program that does not
    catch it ends without a traceback, with the exit code that a shell expects.

    Args:
        signal_number: what asked.

    Example:
        >>> Interrupted(2).code, str(Interrupted(2))
        (130, 'stopped by SIGINT')
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
        self.code = 128 + signal_number


def wrong(argument: str, got: object, allowed: str, cure: str = "") -> str:
    """Build a message in the house form.

    Args:
        argument: name of the argument, option or key.
        got: the offending value.
        allowed: what would have been accepted.
        cure: one thing to do about it.

    Returns:
        ``"population must be >= tournament (10), got 5; raise population"``

    Example:
        >>> wrong("population", 5, ">= tournament (10)", "raise population or lower tournament")
        'population must be >= tournament (10), got 5; raise population or lower tournament'
    """
    text = f"{argument} must be {allowed}, got {shorten(got)}"
    return f"{text}; {cure}" if cure else text


def unknown(what: str, got: str, known: Iterable[str]) -> str:
    """Build the message for a name that is not known, with the nearest known one.

    Example:
        >>> unknown("strategy", "randon", ["random", "local"])
        "unknown strategy 'randon'; did you mean 'random'? known: local, random"
    """
    names = sorted(known)
    near = get_close_matches(got, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"unknown {what} {shorten(got)}{hint} known: {', '.join(names) or 'none'}"


def shorten(value: object, limit: int = 120) -> str:
    """Return ``repr(value)``, cut to ``limit`` characters so that a message stays readable."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def one_line(value: object) -> str:
    r"""Return ``str(value)`` with everything that cannot be printed escaped, so that a name cannot forge a line.

    Example:
        >>> print(one_line("my run\nerror: none"))
        my run\nerror: none
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))
