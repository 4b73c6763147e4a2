"""The command ``peakledger``: puts the subcommands together, and turns errors into one line and an exit status."""

import sys
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ledger.errors import PeakledgerError
from ledger.version import __version__
from peakledger.exit_codes import ExitCode, exit_code_of
from peakledger.lazy_commands import LazyCommands, load_command, load_group

# Where each function is, and examples of the command.
_COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": (
        "peakledger.commands.run:run",
        (
            "peakledger run --bootstrap-servers kafka-1:9092 --group ledger",
            "peakledger run --stream season --data peakledger-data",
        ),
    ),
    "publish": (
        "peakledger.commands.publish:publish",
        ("peakledger publish payments.jsonl", "zcat july.jsonl.gz | peakledger publish - --stream season --keep-going"),
    ),
    "balance": (
        "peakledger.commands.balances:balance",
        ("peakledger balance 3301234567890 clearing:01320260723", "peakledger balance 3301234567890 --json"),
    ),
    "statement": (
        "peakledger.commands.statement:show_statement",
        ("peakledger statement 3301234567890", "peakledger statement clearing:01320260723 --oldest-first --limit 100"),
    ),
    "household": (
        "peakledger.commands.household:household",
        ("peakledger household 3301234567890", "peakledger household 3301234567890 --on 2026-08-20 --json"),
    ),
    "deposits": (
        "peakledger.commands.deposits:show_deposits",
        ("peakledger deposits", "peakledger deposits agency_outlet --low"),
    ),
    "expire": (
        "peakledger.commands.expire:expire",
        ("peakledger expire recharge_card --dry-run --on 2029-08-01", "peakledger expire recharge_card"),
    ),
    "outcome": ("peakledger.commands.outcome:outcome", ("peakledger outcome alipay 2026-07-23 20260723000012345678",)),
    "adjust": (
        "peakledger.commands.adjustments:adjust",
        (
            "peakledger adjust --debit clearing:01320260723 --credit 3301234567890 --amount-fen 12345 "
            "--disputed alipay/2026-07-23/20260723000012345678 --allowed-by 'Wang Min' --reason 'Meter 4711 was read twice'",
        ),
    ),
    "adjustments": (
        "peakledger.commands.adjustments:adjustments",
        (
            "peakledger adjustments",
            "peakledger adjustments alipay/2026-07-23/20260723000012345678",
            "peakledger adjustments 3301234567890",
        ),
    ),
    "digest": (
        "peakledger.commands.proof:digest",
        ("peakledger digest --json > digest.json", "peakledger digest --at-seq 1000000"),
    ),
    "prove": (
        "peakledger.commands.proof:prove_event",
        ("peakledger prove alipay 2026-07-23 20260723000012345678 > proof.json", "peakledger prove --seq 5 --at-seq 1000000"),
    ),
    "check-proof": ("peakledger.commands.proof:check", ("peakledger check-proof proof.json --digest digest.json",)),
    "trial-balance": ("peakledger.commands.balances:show_trial_balance", ("peakledger trial-balance --data peakledger-data",)),
    "demo": ("peakledger.demo:demo", ("peakledger demo", "peakledger demo --directory demo-data --events 1000000")),
    "season": (
        "peakledger.commands.season:season",
        (
            "peakledger season --out embedded --stream season --days 31 --told season.json",
            "peakledger season --out kafka --scale 10 --speed 60",
            "peakledger season --out kafka --scale 10 --speed 86400 --data peakledger-data --watch --told season.json",
        ),
    ),
    "season-report": (
        "peakledger.commands.season_report:season_report",
        ("peakledger season-report season.json --html season.html", "peakledger season-report season.json --json"),
    ),
    "status": ("peakledger.commands.status:status", ("peakledger status", "watch peakledger status")),
    "reconcile": (
        "peakledger.commands.reconcile:reconcile_file",
        ("peakledger reconcile alipay 2026-07-23 alipay-20260723.csv --differences differences.csv",),
    ),
    "settle": (
        "peakledger.commands.settle:settle",
        (
            "peakledger settle alipay 2026-07-23 alipay-20260723.csv --differences differences.csv --close",
            "peakledger settle agency_outlet 2026-07-23 --dry-run",
        ),
    ),
    "settlements": (
        "peakledger.commands.settle:settlements",
        ("peakledger settlements", "peakledger settlements alipay --dates 2026-07-01.."),
    ),
    "verify": ("peakledger.commands.verify:verify", ("peakledger verify", "peakledger verify --data peakledger-data --json")),
    "rebuild": ("peakledger.commands.verify:rebuild", ("peakledger rebuild --data peakledger-data",)),
}
_GROUPS = {
    "quarantine": "peakledger.commands.quarantine:app",
    "topics": "peakledger.commands.topics:app",
    "channels": "peakledger.commands.channels:app",
    "outlets": "peakledger.commands.outlets:app",
    "withholding": "peakledger.commands.withholding:app",
    "schema": "peakledger.commands.schema:app",
}


class _Commands(TyperGroup):
    """All commands and groups; none is loaded before it is looked at."""

    def __init__(self, commands: dict[str, Any], **attributes: Any) -> None:
        super().__init__(**attributes)
        alone = {name: partial(load_command, name, place, lines) for name, (place, lines) in _COMMANDS.items()}
        groups = {name: partial(load_group, name, place) for name, place in _GROUPS.items()}
        self.commands = LazyCommands(alone | groups, commands)  # type: ignore[assignment]  # only read


class _BenchGroup(TyperGroup):
    """The commands of ``bench.cli``. Even the list of all commands does not wait for the suites."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        del self.commands  # set just now, to none

    def __getattr__(self, name: str) -> Any:
        if name != "commands":
            raise AttributeError(name)
        self.commands = load_group("bench", "bench.cli:app").commands
        return self.commands


app = typer.Typer(
    name="peakledger",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A double-entry ledger of payments: applies every event of a Kafka topic exactly once.",
    epilog="Settings come from flags, PEAKLEDGER_* variables and peakledger.toml; docs/configuration.md lists all.",
)
app.add_typer(
    typer.Typer(
        cls=_BenchGroup,
        no_args_is_help=True,
        help="Measure this machine. Every run leaves all its repetitions as JSON; docs/benchmarks.md says how to read it.",
    ),
    name="bench",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"peakledger {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")] = False,
) -> None:
    pass


def main() -> None:
    """Run a command. A PeakledgerError, or a file that cannot be used, becomes one line on standard error and the exit status
    that documents it.
    """
    try:
        app(prog_name="peakledger")
    except PeakledgerError as error:
        print(f"peakledger: {error}", file=sys.stderr)
        sys.exit(exit_code_of(error))
    except OSError as error:
        if error.filename is None:
            raise
        print(f"peakledger: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(ExitCode.usage)
