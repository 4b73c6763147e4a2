"""Builds the engine's extension module, and that of the benchmarks. Everything else about the distribution is in pyproject.toml.

PEAKLEDGER_BUILD names, separated by commas, what to build besides the plain module:
debug (no optimisation, symbols), annotate (Cython's HTML), coverage (gcov counts lines of Cython), sanitize (ASan and UBSan);
or "nothing": no extension module at all, for an editable install beside one that is built already.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SWITCHES = set(filter(None, os.environ.get("PEAKLEDGER_BUILD", "").split(",")))
UNKNOWN = SWITCHES - {"debug", "annotate", "coverage", "sanitize", "nothing"}
if UNKNOWN:
    raise SystemExit(f"PEAKLEDGER_BUILD has unknown switches: {', '.join(sorted(UNKNOWN))}")

compile_args = ["-std=c11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
compile_args += ["-O0", "-g"] if "debug" in SWITCHES else ["-O3"]
link_args: list[str] = []
macros: list[tuple[str, str]] = []
if "coverage" in SWITCHES:
    compile_args += ["--coverage"]
    link_args += ["--coverage"]
    macros += [("CYTHON_PROFILE", "0")]  # linetrace is there to tell in the C which lines could be reached; it does nothing else
if "sanitize" in SWITCHES:
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g"]
    compile_args += sanitize
    link_args += sanitize

parts = [
    str(path)
    for folder in ("ledger", "bench")
    for path in sorted(Path(folder).rglob("*"))
    if path.suffix in {".h", ".pxi", ".pxd"}
]


def extension(name: str) -> Extension:
    return Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        include_dirs=["."],
        depends=parts,
        libraries=["dl", "pthread", "m"],
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


setup(
    ext_modules=cythonize(
        [] if "nothing" in SWITCHES else [extension("ledger._core"), extension("bench._workload")],
        annotate="annotate" in SWITCHES,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": False,
            "linetrace": "coverage" in SWITCHES,
        },
        emit_linenums="coverage" in SWITCHES,
    ),
)
