"""What publishes events to the topic of the settings, embedded or in Kafka."""

from collections.abc import Iterable
from typing import Any

from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import ConfigurationError
from peakledger.config import Settings
from peakledger.kafka_security import security_of
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
