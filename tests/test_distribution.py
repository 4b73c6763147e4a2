"""The source distribution builds a wheel, and the wheel runs where no source tree is."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PEAKLEDGER_"))}
    done = subprocess.run(command, cwd=cwd, env=environ | more, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", directory, cwd=ROOT)
    return next(directory.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(source_distribution, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    without_network = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", directory)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", *without_network, source_distribution)
    # Optimising takes most of the time, and changes nothing that is tested.
    run(*command, cwd=directory, PEAKLEDGER_BUILD="debug")
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The bin directory of a fresh environment with the wheel; it sees the dependencies of this one, not the source tree."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=directory).strip())
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=directory)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory / "bin"


def test_the_source_distribution_holds_what_the_build_needs(source_distribution):
    with tarfile.open(source_distribution) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "ledger/_core.pyx", "ledger/core/journal.pxi", "ledger/record_layout.h"} <= names


def test_the_wheel_holds_types_and_licence_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"ledger/py.typed", "ledger/_core.pyi", "streams/py.typed", "peakledger/py.typed"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "build/"))]


def test_the_wheel_brings_the_command(installed, tmp_path):
    channels = msgspec.json.decode(run(installed / "peakledger", "channels", "list", "--json", cwd=tmp_path))
    assert channels["kind"] == "channels"
    assert "alipay" in {item["name"] for item in channels["items"]}


def test_the_wheel_is_used_and_not_the_source_tree(installed, tmp_path):
    path = run(installed / "python", "-c", "import ledger._core; print(ledger._core.__file__)", cwd=tmp_path)
    assert Path(path).is_relative_to(installed.parent)


def test_the_wheel_runs_the_demo(installed, tmp_path):
    shown = run(installed / "peakledger", "demo", "--events", "5000", cwd=tmp_path)
    assert "SIGKILL" in shown
    assert "the trial balance is zero" in shown
    assert "are those of the journal" in shown
