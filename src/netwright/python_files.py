"""A person's own Python file, imported from where it lies. Knows nothing of what is in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from netwright.errors import SpecError, one_line
from netwright.types import digest


def import_file(file: Path, what: str) -> ModuleType:
    """Import a file, under a name that its place decides, so that its classes are found again by their module's name.

    Args:
        file: that exists.
        what: it is given for: the option or argument that messages begin with.

    Raises:
        SpecError: importing it raises.
    """
    spec = importlib.util.spec_from_file_location(f"netwright_user_{digest(str(file.resolve()), 8)}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SpecError(f"{what}: {one_line(file)} cannot be imported: {reason}; mend that file") from error
    return module
