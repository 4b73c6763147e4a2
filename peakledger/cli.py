"""The command ``peakledger``: puts the subcommands together, and turns errors into one line and an exit status."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ledger.errors import PeakledgerError
from ledger.version import __version__
from peakledger.commands import (
    adjustments,
    balances,
    channels,
    household,
    outcome,
    outlets,
    proof,
    publish,
    quarantine,
    reconcile,
    run,
    schema,
    season,
    season_report,
    settle,
    statement,
    status,
    topics,
    verify,
    withholding,
)
from peakledger.commands.options import examples
from peakledger.demo import demo
from peakledger.exit_codes import exit_code_of

app = typer.Typer(
    name="peakledger",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A double-entry ledger of payments: applies every event of a Kafka topic exactly once.",
    epilog="Settings come from flags, PEAKLEDGER_* variables and peakledger.toml; docs/configuration.md lists all.",
)
_COMMANDS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "run": (
        run.run,
        (
            "peakledger run --bootstrap-servers kafka-1:9092 --group ledger",
            "peakledger run --stream season --data peakledger-data",
        ),
    ),
    "publish": (
        publish.publish,
        ("peakledger publish payments.jsonl", "zcat july.jsonl.gz | peakledger publish - --stream season --keep-going"),
    ),
    "balance": (
        balances.balance,
        ("peakledger balance 3301234567890 clearing:01320260723", "peakledger balance 3301234567890 --json"),
    ),
    "statement": (
        statement.show_statement,
        ("peakledger statement 3301234567890", "peakledger statement clearing:01320260723 --oldest-first --limit 100"),
    ),
    "household": (
        household.household,
        ("peakledger household 3301234567890", "peakledger household 3301234567890 --on 2026-08-20 --json"),
    ),
    "outcome": (outcome.outcome, ("peakledger outcome alipay 2026-07-23 20260723000012345678",)),
    "adjust": (
        adjustments.adjust,
        (
            "peakledger adjust --debit clearing:01320260723 --credit 3301234567890 --amount-fen 12345 "
            "--disputed alipay/2026-07-23/20260723000012345678 --allowed-by 'Wang Min' --reason 'Meter 4711 was read twice'",
        ),
    ),
    "adjustments": (
        adjustments.adjustments,
        (
            "peakledger adjustments",
            "peakledger adjustments alipay/2026-07-23/20260723000012345678",
            "peakledger adjustments 3301234567890",
        ),
    ),
    "digest": (proof.digest, ("peakledger digest --json > digest.json", "peakledger digest --at-seq 1000000")),
    "prove": (
        proof.prove_event,
        ("peakledger prove alipay 2026-07-23 20260723000012345678 > proof.json", "peakledger prove --seq 5 --at-seq 1000000"),
    ),
    "check-proof": (proof.check, ("peakledger check-proof proof.json --digest digest.json",)),
    "trial-balance": (balances.show_trial_balance, ("peakledger trial-balance --data peakledger-data",)),
    "demo": (demo, ("peakledger demo", "peakledger demo --directory demo-data --events 1000000")),
    "season": (
        season.season,
        (
            "peakledger season --out embedded --stream season --days 31 --told season.json",
            "peakledger season --out kafka --scale 10 --speed 60",
        ),
    ),
    "season-report": (
        season_report.season_report,
        ("peakledger season-report season.json --html season.html", "peakledger season-report season.json --json"),
    ),
    "status": (status.status, ("peakledger status", "watch peakledger status")),
    "reconcile": (
        reconcile.reconcile_file,
        ("peakledger reconcile alipay 2026-07-23 alipay-20260723.csv --differences differences.csv",),
    ),
    "settle": (
        settle.settle,
        (
            "peakledger settle alipay 2026-07-23 alipay-20260723.csv --differences differences.csv --close",
            "peakledger settle agency_outlet 2026-07-23 --dry-run",
        ),
    ),
    "settlements": (
        settle.settlements,
        ("peakledger settlements", "peakledger settlements alipay --dates 2026-07-01.."),
    ),
    "verify": (verify.verify, ("peakledger verify", "peakledger verify --data peakledger-data --json")),
    "rebuild": (verify.rebuild, ("peakledger rebuild --data peakledger-data",)),
}

for name, (command, lines) in _COMMANDS.items():
    app.command(name, epilog=examples(*lines))(command)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(topics.app, name="topics")
app.add_typer(channels.app, name="channels")
app.add_typer(outlets.app, name="outlets")
app.add_typer(withholding.app, name="withholding")
app.add_typer(schema.app, name="schema")


class _BenchGroup(TyperGroup):
    """The commands of ``bench.cli``, which are loaded when they are first looked at: no other command waits for the suites."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        del self.commands  # set just now, to none

    def __getattr__(self, name: str) -> Any:
        if name != "commands":
            raise AttributeError(name)
        from bench.cli import app as bench_app

        group = typer.main.get_command(bench_app)
        assert isinstance(group, TyperGroup)
        self.commands = group.commands
        return self.commands


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
    """Run a command; a PeakledgerError becomes one line on standard error and the exit status that documents it."""
    try:
        app(prog_name="peakledger")
    except PeakledgerError as error:
        print(f"peakledger: {error}", file=sys.stderr)
        sys.exit(exit_code_of(error))
