"""Runs a check under atheris. It follows the coverage of the plain Python, which the core must agree with branch by branch."""

import argparse
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType


def run(
    subject: str,
    check: Callable[[bytes], object],
    seeds: Iterable[bytes],
    words: Iterable[bytes],
    followed: Iterable[ModuleType],
) -> None:
    """Feed ``check``, which raises where something is wrong, with values grown from ``seeds`` and ``words`` for ``--seconds``.

    What reaches new code of the modules ``followed`` is kept and grown further.

    Exits with a status other than 0 where it did, or where atheris is not installed; the value is then left in ``--findings``.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{subject}", description=f"Fuzz the {subject}.")
    parser.add_argument("--seconds", type=int, default=10, help="how long to run (default 10)")
    parser.add_argument("--corpus", type=Path, help="folder that keeps what was found interesting for the next run")
    parser.add_argument("--findings", type=Path, default=Path.cwd(), help="folder for values that break something (default here)")
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; pip install atheris brings it, for CPython on Linux")
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder, "corpus")
        corpus.mkdir(exist_ok=True, parents=True)
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        dictionary = Path(folder, "words")
        dictionary.write_text("".join(map(_dictionary_line, words)))
        settings = {
            "max_total_time": options.seconds,
            "dict": dictionary,
            "artifact_prefix": f"{options.findings}/",
            "max_len": 1024,
            "verbosity": 0,
            "report_slow_units": 100,  # seconds; a machine that does other things meanwhile is no finding
        }
        for module in followed:
            for function in _functions(module):
                atheris.instrument_func(function)
        atheris.Setup([subject, *(f"-{name}={value}" for name, value in settings.items()), str(corpus)], check)
        atheris.Fuzz()


def _dictionary_line(word: bytes) -> str:
    escaped = "".join(f"\\x{byte:02x}" for byte in word)
    return f'"{escaped}"\n'


def _functions(module: ModuleType) -> list[Callable[..., object]]:
    """Return the functions of a module and of its classes."""
    own = [each for each in vars(module).values() if getattr(each, "__module__", None) == module.__name__]
    classes = [each for each in own if inspect.isclass(each)]
    return [each for scope in (own, *(vars(each).values() for each in classes)) for each in scope if inspect.isfunction(each)]
