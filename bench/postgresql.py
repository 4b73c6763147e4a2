"""A PostgreSQL server for the run: made in a temporary directory, reached by a Unix socket only, and gone afterwards.

It keeps the books as one would in SQL: an entry for each event under a unique key, and a balance for each household. Every commit
is on the disk before it is acknowledged, as with the engine. The rest is tuned as well as we know how.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryFile, mkdtemp
from typing import Any

from bench.workload import Workload
from ledger.errors import ConfigurationError, PeakledgerError
from ledger.layouts import PACKED_EVENT, EventType

DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "synchronous_commit": "on",
    "commit_delay": "100",
    "commit_siblings": "2",
}
SCHEMA = """
create table entries (
  seq bigint generated always as identity, channel smallint, business_date int, serial bytea, household bigint, amount_fen bigint,
  primary key (business_date, channel, serial));
create table balances (household bigint primary key, debits_fen bigint, credits_fen bigint) with (fillfactor = 50);
"""
# Rows are taken in the order of their keys, so that no two batches can be waiting for one another.
STAGE = """
create temporary table events (channel smallint, business_date int, serial bytea, household bigint, amount_fen bigint)
  on commit delete rows;
prepare book as
  with booked as (
    insert into entries (channel, business_date, serial, household, amount_fen)
    select channel, business_date, serial, household, amount_fen from events
    order by business_date, channel, serial on conflict do nothing returning household, amount_fen)
  insert into balances
  select household, sum(greatest(-amount_fen, 0)), sum(greatest(amount_fen, 0)) from booked group by household order by household
  on conflict (household) do update
  set debits_fen = balances.debits_fen + excluded.debits_fen, credits_fen = balances.credits_fen + excluded.credits_fen;
"""


def programs() -> Path | None:
    """Return the directory of PostgreSQL's programs, of the newest version in Debian's place or on the path; None without one."""
    on_path = shutil.which("initdb")
    found = [*DEBIAN.glob("*/bin/initdb"), *([Path(on_path).resolve()] if on_path else [])]
    complete = [path.parent for path in found if (path.parent / "postgres").exists() and (path.parent / "psql").exists()]
    return max(complete, key=lambda path: [int(part) for part in path.parts if part.isdigit()], default=None)


class PostgreSQL:
    """The running server. Raises PeakledgerError where one of its programs fails."""

    def __init__(self, binaries: Path, place: Path) -> None:
        self._binaries, self._place = binaries, place
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # as whom its programs refuse to run
            known = {each.pw_name: each for each in pwd.getpwall()}
            user = next(known[name] for name in UNPRIVILEGED if name in known)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(place, user.pw_uid, user.pw_gid)

    def start(self) -> None:
        self.program("initdb", "-D", "data", "-A", "trust", "--no-locale", "-E", "UTF8", "-U", "postgres")
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        self.program("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", f"-k {self._place} {settings}", "start")
        self.run(SCHEMA)

    def stop(self) -> None:
        self.program("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def program(self, name: str, *arguments: str) -> None:
        """Run one of its programs to its end."""
        with (self._place / f"{name}.said").open("w+") as said:
            # To a file and not to a pipe, which the server would hold open.
            command = [str(self._binaries / name), *arguments]
            done = subprocess.run(command, cwd=self._place, stdout=said, stderr=said, check=False, **self._as_user)
            said.seek(0)
            if done.returncode:
                raise PeakledgerError(f"PostgreSQL's {name} failed: {said.read().strip()}", status=done.returncode)

    def run(self, sql: str) -> str:
        """Run SQL and return what it prints."""
        return self.run_side_by_side([sql])[0]

    def run_side_by_side(self, scripts: Iterable[str]) -> list[str]:
        """Run each script with a connection of its own, all at once; return what each prints."""
        arguments = ("-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", str(self._place), "-U", "postgres", "-d", "postgres")
        clients = []
        for script in scripts:
            with TemporaryFile() as source:
                source.write(script.encode())
                source.seek(0)
                client = subprocess.Popen(
                    [str(self._binaries / "psql"), *arguments], stdin=source, stdout=PIPE, stderr=PIPE, text=True, **self._as_user
                )
            clients.append(client)
        said = [client.communicate() for client in clients]
        for client, (_, error) in zip(clients, said, strict=True):
            if client.returncode:
                raise PeakledgerError(f"PostgreSQL's psql failed: {error.strip()}", status=client.returncode)
        return [output.strip() for output, _ in said]


@contextmanager
def postgresql(directory: Path) -> Iterator[PostgreSQL]:
    """A server with empty tables, in a temporary directory below ``directory``, which every user must be able to enter.

    Raises ConfigurationError where PostgreSQL is not installed.
    """
    binaries = programs()
    if binaries is None:
        raise ConfigurationError(
            "PostgreSQL is not installed", hint="Install Debian's package postgresql, or leave this suite out"
        )
    place = Path(mkdtemp(dir=directory, prefix="bench-postgresql-"))
    try:
        server = PostgreSQL(binaries, place)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(place)


def opening_script(households: Iterable[str]) -> str:
    """Return SQL that gives each household a balance of nothing."""
    rows = "".join(f"{household}\t0\t0\n" for household in households)
    return f"copy balances from stdin;\n{rows}\\.\nvacuum analyze;\ncheckpoint;\n"


def booking_scripts(workload: Workload, first_event: int, end_event: int, clients: int, batch_events: int) -> list[str]:
    """Return a script a client, that together book these packed events in batches, one commit each."""
    scripts = [[STAGE] for _ in range(clients)]
    values = islice(workload.values(first_event), end_event - first_event)
    batches = iter(lambda: "".join(_row(value) for value in islice(values, batch_events) if value), "")
    for number, rows in enumerate(batches):
        scripts[number % clients].append(f"begin;\ncopy events from stdin;\n{rows}\\.\nexecute book;\ncommit;\n")
    return ["".join(script) for script in scripts]


def _row(packed: bytes) -> str:
    event = PACKED_EVENT.unpack(packed)
    change_fen = -event["amount_fen"] if event["event_type"] == EventType.bill else event["amount_fen"]
    fields = event["channel"], event["business_date"], rf"\\x{event['serial'].hex()}", event["household"], change_fen
    return "\t".join(map(str, fields)) + "\n"
