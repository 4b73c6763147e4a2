"""Adds what gcov counted of the Cython core to the data of coverage.py: ``python -m tests.core_coverage``, in a coverage build.

Line tracing of Cython asks for the GIL at each line of the core, with which the tests took hours. gcov counts in the C itself, on
all threads and in all processes that end by themselves, and ``#line`` says which line of Cython each line of C comes from.
"""

import json
import subprocess
from collections import defaultdict
from pathlib import Path

from coverage import CoverageData

SOURCES = {".pyx", ".pxi", ".pxd"}
PLUGIN = "Cython.Coverage.Plugin"  # knows which lines could have been counted


def counted(notes: Path) -> dict[str, set[int]]:
    """Return the lines of each Cython source that were reached, by its path. ``notes`` is what gcc wrote beside the object."""
    command = ["gcov", "--json-format", "--stdout", notes.name]
    done = subprocess.run(command, cwd=notes.parent, capture_output=True, check=True)
    document, lines = json.loads(done.stdout), defaultdict(set)
    for file in document["files"]:
        path = Path(document["current_working_directory"], file["file"])
        if path.suffix in SOURCES and path.exists():
            lines[str(path)] |= {line["line_number"] for line in file["lines"] if line["count"]}
    return lines


def main() -> None:
    data = CoverageData()
    data.read()
    for notes in sorted(Path("build").glob("temp.*/ledger/*.gcno")):
        lines = counted(notes)
        data.add_lines(lines)
        data.add_file_tracers(dict.fromkeys(lines, PLUGIN))
    data.write()


if __name__ == "__main__":
    main()
