"""A real Apache Kafka on this machine: one node, loopback only, started and stopped by the tests.

``python -m tests.kafka.broker`` leaves one running until Ctrl-C, for people who try things.
"""

import argparse
import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka.jars import JAVA, cache_directory, kafka_jars, lock_digest, only_one
from tests.waiting import PATIENCE_S, wait_until

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 60
CLUSTER_ID = "cGVha2xlZGdlci10ZXN0cw"
STARTED = "Kafka Server started"

# Small and quick to start; the archive of loaded classes (Java 25's ahead-of-time cache) takes 5 s down to 1.3 s.
JVM_FLAGS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=error:stderr")
LOG_FLAGS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port}{more},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}{more},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
controller.quorum.bootstrap.servers={host}:{controller_port}
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=6000
log.retention.ms=-1
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=200
message.max.bytes=33554432
"""


# To its controller a broker that gets no time is one that is gone.
NOT_YET = {KafkaError._TIMED_OUT, KafkaError.INVALID_REPLICATION_FACTOR}


class BrokerFailed(RuntimeError):
    """Kafka ended by itself; the message ends with the last lines of its log."""


class Broker:
    """One Kafka broker with a data directory and a port of its own, both kept over ``stop``, ``kill`` and ``restart``."""

    def __init__(
        self,
        data: Path | None = None,
        port: int | None = None,
        java_flags: tuple[str, ...] = (),
        more_protocols: tuple[str, ...] = (),
        more_settings: str = "",
    ) -> None:
        """``data`` is kept when given; without it a temporary directory is made and removed by ``close``.

        ``more_protocols`` get a listener each, in ``ports``; ``more_settings`` are lines of server.properties.
        """
        self._places: list[socket.socket] = []
        self.ports = {protocol: self._reserve_port() for protocol in more_protocols}
        self._more_settings = more_settings
        self.port, self.controller_port = (port or self._reserve_port()), self._reserve_port()
        self._temporary = tempfile.TemporaryDirectory(prefix="peakledger-kafka-") if data is None else None
        self.data = Path(self._temporary.name) if data is None else data
        self._process: subprocess.Popen[bytes] | None = None
        self._java_flags = java_flags

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.data / "broker.log"

    def start(self) -> "Broker":
        """Start and wait until it answers. Raises BrokerFailed."""
        logs = self.data / "logs"
        if not logs.exists():
            shutil.copytree(_prepared() / "logs", logs)
        self._start()
        return self

    def stop(self) -> None:
        """A clean stop; the data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power would see it from outside; the data stays."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it answer nothing until ``thaw``, as behind a network that is gone; connections stay."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start again on the same data and the same port."""
        self.stop()
        self._start()

    def close(self) -> None:
        """Stop, give the ports back, and remove the data if it was temporary."""
        self.kill() if self._temporary else self.stop()
        for place in self._places:
            place.close()
        if self._temporary:
            self._temporary.cleanup()

    def create_topic(self, name: str, partitions: int = 1, settings: Mapping[str, str] | None = None) -> str:
        """Create a topic whose records are kept whatever their timestamps say, and wait until it shows. Returns its name."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config={"retention.ms": "-1", **(settings or {})})
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        attempts = count()
        wait_until(lambda: _is_made(admin, topic, next(attempts)))
        # What the controller has made, the broker beside it shows a moment later.
        wait_until(lambda: (shown := admin.list_topics(timeout=PATIENCE_S).topics.get(name)) and not shown.error)
        return name

    def wait_for_markers(self, topic: str, end_offset: int) -> None:
        """Wait until partition 0 ends there for all readers: the markers that end a kafka_txn come after it was acknowledged."""
        partition = TopicPartition(topic, 0)
        consumers = [
            Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "markers", "isolation.level": level})
            for level in ("read_committed", "read_uncommitted")
        ]
        wait_until(lambda: all(each.get_watermark_offsets(partition)[1] == end_offset for each in consumers))
        for consumer in consumers:
            consumer.close()

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Delete a partition's records below an offset, as retention would."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        position = TopicPartition(topic, partition, before_offset)
        admin.delete_records([position])[position].result(PATIENCE_S)

    def run_tool(self, java_class: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run one of Kafka's own command line tools with ``--bootstrap-server`` of this broker. Returns what it printed."""
        command = [*_java(), java_class, "--bootstrap-server", self.bootstrap_servers, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{java_class} failed with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def produce_with_java(self, topic: str, values: list[bytes], *settings: str) -> None:
        """Publish values (no line feed inside) by the stock Java producer, with settings such as ``compression.type=lz4``."""
        options = [option for setting in settings for option in ("--command-property", setting)]
        self.run_tool("org.apache.kafka.tools.ConsoleProducer", "--topic", topic, *options, stdin=b"\n".join(values) + b"\n")

    def _reserve_port(self) -> int:
        """Return a port that nobody else is given until ``close``, Kafka running or not, be it for a connection of their own.

        A socket stays bound to it; Kafka, which reuses addresses, may listen there all the same.
        """
        place = socket.socket()
        place.bind((HOST, 0))
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._places.append(place)
        return place.getsockname()[1]

    def _start(self) -> None:
        settings = self.data / "server.properties"
        names = {"host": HOST, "port": self.port, "controller_port": self.controller_port, "logs": self.data / "logs"}
        more = "".join(f",{protocol}://{HOST}:{port}" for protocol, port in self.ports.items())
        settings.write_text(SETTINGS.format(**names, more=more) + self._more_settings)
        with self.log_file.open("wb") as log:
            command = [*_java(), *self._java_flags, "kafka.Kafka", str(settings)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        atexit.register(self._end, signal.SIGKILL)
        wait_until(self._has_started, self._log_tail)

    def _has_started(self) -> bool:
        if self._process and self._process.poll() is not None:
            raise BrokerFailed(f"Kafka ended with {self._process.returncode} while starting:\n{self._log_tail()}")
        return STARTED in self.log_file.read_text(errors="replace")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self._end)
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_tail(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-40:])


def _is_made(admin: AdminClient, topic: NewTopic, attempt: int) -> bool:
    """Create a topic. Returns False where a busy machine kept the broker, or its own controller, waiting for it."""
    try:
        admin.create_topics([topic])[topic.topic].result()
    except KafkaException as error:
        code = error.args[0].code()
        if code not in NOT_YET and not (attempt and code == KafkaError.TOPIC_ALREADY_EXISTS):
            raise
        return code == KafkaError.TOPIC_ALREADY_EXISTS
    return True


def _java() -> list[str]:
    archive = cache_directory() / f"kafka-{lock_digest()}" / "classes.aot"
    shared = [f"-XX:AOTCache={archive}"] if archive.exists() else []
    return [str(JAVA), *JVM_FLAGS, *shared, *LOG_FLAGS, "-cp", ":".join(map(str, kafka_jars()))]


def _prepared() -> Path:
    """A formatted, empty data directory and the archive of loaded classes, made once for each lock file."""
    directory = cache_directory() / f"kafka-{lock_digest()}"
    with only_one("kafka"):
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=cache_directory()) as temporary:
                _prepare(Path(temporary) / "kafka").rename(directory)
    return directory


def _prepare(directory: Path) -> Path:
    directory.mkdir()
    broker = Broker(data=directory / "first-run", java_flags=(f"-XX:AOTCacheOutput={directory / 'classes.aot'}",))
    broker.data.mkdir()
    names = {"host": HOST, "port": broker.port, "controller_port": broker.controller_port, "logs": directory / "logs", "more": ""}
    settings = directory / "format.properties"
    settings.write_text(SETTINGS.format(**names))
    format_it = ("kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", CLUSTER_ID, "--config", str(settings))
    done = subprocess.run([*_java(), *format_it], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BrokerFailed(f"Kafka's storage tool ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    shutil.copytree(directory / "logs", broker.data / "logs")
    broker.start()
    broker.stop()
    shutil.rmtree(broker.data)
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.broker", description="Run a local Apache Kafka until Ctrl-C.")
    parser.add_argument("--port", type=int, default=9092, help="port on the loopback address, default 9092")
    parser.add_argument("--keep-data", type=Path, metavar="DIR", help="keep topics in this directory, and use what it holds")
    arguments = parser.parse_args()
    if arguments.keep_data:
        arguments.keep_data.mkdir(parents=True, exist_ok=True)
    broker = Broker(data=arguments.keep_data, port=arguments.port)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    print("starting Kafka (the first time downloads about 50 MB) ...", flush=True)
    broker.start()
    print(f"bootstrap servers: {broker.bootstrap_servers}\ndata: {broker.data}\nCtrl-C stops it", flush=True)
    stopped.wait()
    broker.close()


if __name__ == "__main__":
    main()
