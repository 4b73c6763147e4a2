"""``peakledger channels``: who may publish events."""

import typer

from ledger.channels import BUILT_IN_CHANNELS
from peakledger.commands.options import Json, examples
from peakledger.display import show

app = typer.Typer(no_args_is_help=True, help="Show the channels that may publish events.")


@app.command("list", epilog=examples("peakledger channels list", "peakledger channels list --json"))
def list_channels(as_json: Json = False) -> None:
    """List the channels: code, names, form of their serials, and what they publish."""
    items = [
        {
            "code": channel.code,
            "name": channel.name,
            "chinese_name": channel.chinese_name,
            "serial_form": channel.serial_form.name,
            "publishes": channel.publishes,
        }
        for channel in BUILT_IN_CHANNELS
    ]
    show("channels", items, as_json=as_json)
