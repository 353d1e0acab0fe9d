"""Every benchmark, one after the other: ``make bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "networks/coat_sandal.py",
    "networks/baselines.py",
    "networks/small_datasets.py",
    "networks/ablations.py",
    "networks/log_indicators.py",
    "networks/ensembles.py",
    "networks/encoding.py",
    "networks/inference.py",
    "cim/run.py",
    "qcgd/run.py",
    "composites/splitting.py",
)


def main() -> int:
    """Run each of `SCRIPTS`; the exit code is that of the first that fails."""
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        code = subprocess.run([sys.executable, str(HERE / script)], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
