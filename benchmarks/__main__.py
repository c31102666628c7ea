"""`python -m benchmarks [--rounds N] [--seconds S]`: every benchmark, one after the other."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("http", "pool", "promises", "catalog")


def main(options: list[str]) -> int:
    """Run each benchmark that is there in a process of its own; return the first exit code that is not 0."""
    here = Path(__file__).parent
    for name in BENCHMARKS:
        if (here / f"{name}.py").exists():
            command = [sys.executable, "-m", f"benchmarks.{name}", *(options if name == "http" else [])]
            if code := subprocess.run(command, cwd=here.parent, check=False).returncode:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
