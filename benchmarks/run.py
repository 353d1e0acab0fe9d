"""Every benchmark, one after the other: ``make bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run each script below this folder; the exit code is that of the first that fails."""
    for script in sorted(HERE.glob("*/*.py")):
        print(f"== {script.relative_to(HERE)}", flush=True)
        code = subprocess.run([sys.executable, str(script)], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
