"""Rules of the house that a program can check: sizes, words, stubs, hosts."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger._core

ROOT = Path(__file__).parent.parent
PACKAGES = ("ledger", "streams", "peakledger", "bench", "tests")
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
FUNCTION = re.compile(r"^( *)(?:async def|def|cpdef|cdef(?! (?:class|struct|extern|enum|packed))) ?[^=]*?(\w+)\(")
# Written so that this file does not match itself.
LATER = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K|NotImplemented[E]rror)\b")


def sources(*suffixes: str) -> list[Path]:
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*")) if path.suffix in suffixes)
    return [path for path in found if not (path.suffix == ".c" and path.with_suffix(".pyx").exists())]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


CODE = names(sources(".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".c"))
TEXTS = [
    *CODE,
    *names(sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))),
    "Makefile",
    "setup.py",
    "pyproject.toml",
]


def function_lengths(text: str) -> Iterator[tuple[str, int]]:
    """Yield name and count of lines of each function, of Python and Cython alike, by indentation."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        header = FUNCTION.match(line)
        if not header:
            continue
        body = start
        while body < len(lines) and not lines[body].split("#")[0].rstrip().endswith(":"):
            body += 1
        end = body + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(header[1] + " ")):
            end += 1
        yield header[2], len("\n".join(lines[start:end]).rstrip().splitlines())


@pytest.mark.parametrize("name", CODE)
def test_a_file_is_short_enough_to_be_read(name):
    assert len((ROOT / name).read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("name", names(sources(".py", ".pyx", ".pxi")))
def test_a_function_fits_a_screen(name):
    long = {function: lines for function, lines in function_lengths((ROOT / name).read_text()) if lines > MAX_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_left_for_later(name):
    assert not [line for line in (ROOT / name).read_text().splitlines() if LATER.search(line)]


@pytest.mark.parametrize("name", [*names(sorted((ROOT / "requirements").glob("*.txt"))), "Makefile", "pyproject.toml", ".ci/run"])
def test_no_host_stands_in_the_build(name):
    assert "://" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", names(sorted((ROOT / "requirements").glob("*.txt"))))
def test_every_requirement_is_pinned(name):
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[a-z0-9-]+==[\w.]+(; python_version < \"[\d.]+\")?", line) for line in lines)


def test_the_locks_hold_what_the_distribution_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    build = (ROOT / "requirements" / "build.txt").read_text().splitlines()
    bench = (ROOT / "requirements" / "bench.txt").read_text().splitlines()
    assert set(project["project"]["dependencies"]) <= set(runtime)
    assert set(project["project"]["optional-dependencies"]["bench"]) <= set(bench)
    assert set(project["build-system"]["requires"]) == {line for line in build if line and not line.startswith("#")}


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("ledger", ("streams", "peakledger", "bench", "tests")),
        ("streams", ("peakledger", "bench", "tests")),
        ("peakledger", ("peakledger.commands", "tests")),
    ],
)
def test_a_package_imports_nothing_above_it(package, above):
    makes_commands = {"cli.py", "lazy_commands.py"} if package == "peakledger" else set()
    paths = [path for path in sources(".py") if path.is_relative_to(ROOT / package) and path.name not in makes_commands]
    below = [path for path in paths if not path.is_relative_to(ROOT / "peakledger" / "commands")]
    found = {
        str(path.relative_to(ROOT)): module
        for path in below
        for module in imported(path)
        if (module + ".").startswith(tuple(f"{name}." for name in above))
    }
    assert below and not found


STUB = ast.parse((ROOT / "ledger" / "_core.pyi").read_text())


def public(names: Iterator[str] | list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def stub_names(body: list[ast.stmt]) -> set[str]:
    """Return what a stub's module or class body declares."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def test_the_stub_declares_what_the_module_has():
    module = ledger._core
    imported = {name for name in public(dir(module)) if inspect.ismodule(getattr(module, name))}
    home = {name: getattr(getattr(module, name), "__module__", module.__name__) for name in public(dir(module)) - imported}
    own = {name for name, where in home.items() if where == module.__name__}
    assert public(stub_names(STUB.body)) == own


@pytest.mark.parametrize("class_", [node for node in STUB.body if isinstance(node, ast.ClassDef)], ids=lambda node: node.name)
def test_the_stub_of_a_class_declares_what_the_class_has(class_):
    assert public(stub_names(class_.body)) == public(vars(getattr(ledger._core, class_.name)))
