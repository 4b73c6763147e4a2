"""What publishes events to the topic of the settings, embedded or in Kafka, or by way of its inlets."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import ConfigurationError
from peakledger.config import Settings
from peakledger.kafka_security import security_of
from streams.inlet_publisher import InletPublisher
from streams.inlets import Inlet
from streams.publisher import EmbeddedPublisher, Publisher, SinkPublisher


def uses_inlets(settings: Settings) -> bool:
    """Return whether events go through the inlets of the topic. Raises ConfigurationError where it has none."""
    if settings.priority and settings.stream:
        raise ConfigurationError("priority is set, but an embedded stream has no inlets", hint="Leave priority out, or use Kafka")
    return settings.priority


def publisher_of(
    settings: Settings, channels: Iterable[Channel] = BUILT_IN_CHANNELS, inlet: Inlet | None = None
) -> SinkPublisher:
    """Return what publishes events of ``channels`` to the topic of the settings, embedded or in Kafka, in their encoding.

    ``inlet`` is where to where the settings say that there are inlets; without it the topic itself.
    """
    common: dict[str, Any] = {"encoding": settings.encoding, "channels": channels}
    topic = inlet.topic(settings.topic) if inlet and uses_inlets(settings) else settings.topic
    if settings.stream:
        return EmbeddedPublisher(topic, directory=settings.stream, **common)
    security = security_of(settings)
    return Publisher(topic, bootstrap_servers=settings.bootstrap_servers, kafka_settings=security, **common)


@asynccontextmanager
async def inlet_publisher_of(settings: Settings, channels: Iterable[Channel]) -> AsyncIterator[InletPublisher]:
    """Give what publishes to both inlets of the topic of the settings."""
    async with AsyncExitStack() as stack:
        publishers = {inlet: await stack.enter_async_context(publisher_of(settings, channels, inlet)) for inlet in Inlet}
        yield InletPublisher(publishers, channels)


@asynccontextmanager
async def ordered_publisher_of(settings: Settings, channels: Iterable[Channel]) -> AsyncIterator[SinkPublisher | InletPublisher]:
    """Give what publishes records to named partitions, each behind all that was published for its ledger before.

    Where the settings say that there are inlets, something may wait there, so that is by way of them.
    """
    async with AsyncExitStack() as stack:
        if uses_inlets(settings):
            yield await stack.enter_async_context(inlet_publisher_of(settings, channels))
        else:
            yield await stack.enter_async_context(publisher_of(settings, channels))
