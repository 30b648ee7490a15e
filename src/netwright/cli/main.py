"""The command ``netwright``: its commands, and how errors become exit codes.

Each command is a function of its own module; this one only puts them together and decides what a person sees when
something goes wrong. Nothing heavy is imported before a command needs it, so that ``--help`` is fast.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn, TextIO

import typer

from netwright.cli import (
    bench,
    doctor,
    exporting,
    latency,
    scoring,
    searching,
    showing,
    spaces,
    supernet,
    tasks,
    transferring,
)
from netwright.cli.codes import INTERNAL, INTERRUPTED, USAGE, exit_code
from netwright.cli.text import clean_indented
from netwright.errors import NetwrightError

MAX_LINES = 10
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system says where a disk takes no more."""

HELP = """Neural architecture search: data and limits in, a better network out."""
EPILOG = """\b
Exit codes:
  0    done
  1    a check failed: verify found a difference
  2    something given is wrong: option, file, data, folder
  3    the search, build or export could not be done
  4    the history of a run or a file could not be read or written
  70   a mistake in netwright: please report it
  129, 130, 143   stopped by SIGHUP, Ctrl-C, SIGTERM; netwright resume RUN goes on
\b
--debug with any command prints the traceback of an error.
"""
ClickError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if issubclass(kind, Exception) and kind.__name__ == "ClickException"
)
"""What typer raises for wrong options; it lives in another module in each release."""


def make_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name="netwright",
        help=HELP,
        epilog=EPILOG,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    app.command("search")(searching.search)
    app.command("resume")(searching.resume)
    app.command("show")(showing.show)
    app.command("history")(showing.history)
    app.command("diff")(showing.diff)
    app.command("export")(exporting.export)
    app.command("verify")(exporting.verify)
    app.command("latency")(latency.latency)
    app.command("spaces")(spaces.spaces)
    app.command("tasks")(tasks.tasks)
    app.command("bench")(bench.bench)
    app.command("score")(scoring.score)
    app.add_typer(supernet.make_group(), name="supernet")
    app.command("transfer")(transferring.transfer)
    app.add_typer(transferring.make_report(), name="report")
    app.command("doctor")(doctor.doctor)
    app.command("schema")(showing.schema)
    return app


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Take the options that stand before a command."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run the command line.

    Args:
        argv: arguments without the name of the program.

    Returns:
        The exit code; what went wrong is on standard error, in at most 10 lines.
    """
    args, debug = _take_debug(argv)
    if args == ["--version"]:
        from importlib.metadata import version

        print(f"netwright {version('netwright')}")
        return 0
    logging.basicConfig(level=logging.INFO if debug else logging.ERROR, format="%(name)s: %(message)s")
    try:
        code = make_app()(args=args or ["--help"], prog_name="netwright", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return 0
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        _forget_output()  # typer makes exit code 1 of it
        return 0
    except (NetwrightError, OSError, MemoryError) as error:
        return _report(error, _output_text(error) or str(error), exit_code(error), debug)
    except ClickError as error:
        return _report(error, _usage_text(error), USAGE, debug)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary to the terminal: said in a line, traceback with --debug
        text = f"{type(error).__name__}: {error}\nthis is a mistake in netwright; add --debug to see where"
        return _report(error, text, INTERNAL, debug)
    return code if isinstance(code, int) else 0


def _take_debug(argv: Sequence[str]) -> tuple[list[str], bool]:
    end = list(argv).index("--") if "--" in argv else len(argv)
    return [word for i, word in enumerate(argv) if word != "--debug" or i > end], "--debug" in argv[:end]


def _usage_text(error: Exception) -> str:
    text: str = error.format_message()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "netwright"
    return f"{text.rstrip('.')}\n{command} --help lists what may be given"


def _report(error: BaseException, text: str, code: int, debug: bool, out: TextIO | None = None) -> int:
    stream = out or sys.stderr
    lines = [line for line in text.splitlines() if line.strip()] or [type(error).__name__]
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"and {len(lines) - MAX_LINES + 1} lines more; --debug shows them"]
    for number, line in enumerate(lines):
        print(("" if number else "error: ") + clean_indented(line), file=stream)
    if debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            print(clean_indented(line), file=stream)
    return code


def _output_text(cause: BaseException) -> str:
    """What is wrong with standard output, if it is what could not be written: an error of a stream names no file."""
    if not isinstance(cause, OSError) or cause.errno not in FULL or cause.filename is not None:
        return ""
    try:
        print(flush=True)  # what was to be printed is gone from the buffer
    except OSError as error:
        _forget_output()
        return f"standard output cannot be written: {error.strerror or error}; write to a disk that has room"
    return ""


def _forget_output() -> None:
    """The reader of our output went away; leave nothing for the interpreter to flush into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
