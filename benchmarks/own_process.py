"""Runs a search in a process of its own, for the other scripts of this folder.

So that one search inherits neither threads nor memory of the one before it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def in_own_process(script: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a script prints as its last line, a JSON object, and the lines that it says on standard error.

    Args:
        script: Python; finds the options as JSON in ``sys.argv[1]``.
        options: of a search, say.

    Raises:
        SystemExit: it failed; the end of what it said on standard error.
    """
    command = [sys.executable, "-c", script, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the search failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]), done.stderr.splitlines()
