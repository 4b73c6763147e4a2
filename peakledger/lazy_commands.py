"""Commands that are loaded when they are first looked at: a balance does not wait for the client of Kafka."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


class LazyCommands(Mapping[str, Any]):
    """Commands by name, each made by its loader once, and some that are ``loaded``."""

    def __init__(self, loaders: Mapping[str, Callable[[], Any]], loaded: Mapping[str, Any]) -> None:
        self._loaders = loaders
        self._loaded = dict(loaded)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._loaders[name]()
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaders or name in self._loaded

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._loaders, *self._loaded]))

    def __len__(self) -> int:
        return len(self._loaders.keys() | self._loaded.keys())


def load_command(name: str, place: str, lines: tuple[str, ...]) -> Any:
    """Return the command ``name`` of the function ``place``, as ``module:function``; its help ends with examples."""
    from peakledger.commands.options import examples

    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, epilog=examples(*lines))(_find(place))
    return typer.main.get_command(alone)


def load_group(name: str, place: str) -> TyperGroup:
    """Return the group ``name`` of the Typer ``place``, as ``module:name``."""
    group = typer.main.get_group(_find(place))
    group.name = name
    return group


def _find(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
