"""The command ``peakledger``: puts the subcommands together, and turns errors into one line and an exit status."""

import sys
from typing import Annotated

import typer

from ledger.errors import PeakledgerError
from ledger.version import __version__
from peakledger.commands import balances, channels, topics
from peakledger.commands.options import examples
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
_BALANCE_EXAMPLES = ("peakledger balance 3301234567890 clearing:01320260723", "peakledger balance --json 3301234567890")

app.command("balance", epilog=examples(*_BALANCE_EXAMPLES))(balances.balance)
app.command("trial-balance", epilog=examples("peakledger trial-balance --data peakledger-data"))(balances.show_trial_balance)
app.add_typer(topics.app, name="topics")
app.add_typer(channels.app, name="channels")


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
        app()
    except PeakledgerError as error:
        print(f"peakledger: {error}", file=sys.stderr)
        sys.exit(exit_code_of(error))
