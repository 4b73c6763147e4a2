"""What Kafka's client raises, as errors of ours that say what to do."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import SourceUnavailable
from peakledger.config import Settings


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Turn what aiokafka raises into SourceUnavailable; what it logs on the way there is not shown. For use outside of a loop."""
    from aiokafka.errors import KafkaError

    from peakledger.kafka_security import security_of
    from streams.connections import refusal

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    except KafkaError as error:
        reason = asyncio.run(refusal(settings.bootstrap_servers, security_of(settings)))
        raise SourceUnavailable(
            f"Kafka at {reason or f'{settings.bootstrap_servers}: {error or type(error).__name__}'}",
            hint="Check --bootstrap-servers, the settings of security, and that the broker runs",
        ) from error
