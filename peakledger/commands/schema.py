"""``peakledger schema``: the schema of events, for the channels."""

import typer

from ledger.schema import documents
from peakledger.commands.options import examples

app = typer.Typer(no_args_is_help=True, help="Print the schema of events.")


@app.command("json", epilog=examples("peakledger schema json > event.schema.json"))
def show_json_schema() -> None:
    """Print the JSON Schema of an event."""
    typer.echo(documents()["event.schema.json"], nl=False)


@app.command("asyncapi", epilog=examples("peakledger schema asyncapi > asyncapi.json"))
def show_asyncapi() -> None:
    """Print the AsyncAPI 3 document of the topic of events."""
    typer.echo(documents()["asyncapi.json"], nl=False)
