"""What machine a time was measured on: a description to print beside the number. Knows nothing of networks."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine at a moment.

    Args:
        cpu: model of the processor.
        cores: that this process may use.
        governor: how the clock frequency is chosen, empty where unknown.
        load: processes that ran or waited to run, mean of the last minute; -1 where unknown.
        system: operating system and architecture.
    """

    cpu: str
    cores: int
    governor: str
    load: float
    system: str

    def __str__(self) -> str:
        parts = [self.cpu, f"{self.cores} core(s)"]
        if self.governor:
            parts.append(f"governor {self.governor}")
        if self.load >= 0:
            parts.append(f"load {self.load:.2f}")
        return ", ".join([*parts, self.system])

    def to_dict(self) -> dict[str, str | int | float]:
        """JSON object."""
        return asdict(self)


def describe_machine() -> Machine:
    """Describe the machine this runs on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = -1.0
    governor = _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    return Machine(_cpu(), cores, governor, load, f"{platform.system()} {platform.machine()}")


def _cpu() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
