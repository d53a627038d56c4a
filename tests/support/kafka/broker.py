"""A Kafka broker on this machine, for tests: started, stopped, killed and started again with what it has stored."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from support.kafka.jars import broker_jars
from support.server import reserved_port
from support.waiting import until

# Everything it keeps is small, and nothing waits for others to join.
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
log.dirs={folder}/data
log.segment.bytes=16777216
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=1
num.io.threads=2
# Anybody may do anything to a topic without rules of its own.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
_LOG = """<Configuration>
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class Broker:
    """A broker of one node, on a port of the loopback interface, with its data in a folder."""

    def __init__(self, folder: Path, port: int, controller: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "server.properties"
        self._settings.write_text(_PROPERTIES.format(port=port, controller=controller, folder=folder))
        (folder / "log4j2.xml").write_text(_LOG)
        identity = ["-t", uuid.uuid4().hex[:22], "-c", str(self._settings)]
        subprocess.run(self._java("kafka.tools.StorageTool", "format", *identity), check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    def _java(self, *command: str) -> list[str]:
        memory = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        log = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return ["java", *memory, log, "-cp", f"{broker_jars()}/*", *command]

    def start(self) -> None:
        """Start the broker, with what it has stored; returns once it answers."""
        with (self._folder / "log.txt").open("ab") as log:
            command = self._java("kafka.Kafka", str(self._settings))
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log.txt").read_text()[-2000:]
        try:
            return bool(self.admin().list_topics(timeout=1.0).brokers)
        except KafkaException:
            return False

    def stop(self) -> None:
        """Let the broker end."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """End the broker at once, as a machine does that fails."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def admin(self) -> AdminClient:
        """Client that creates topics and rules."""
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin = self.admin()
        admin.create_topics([topic])[name].result()


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker that runs until the block ends."""
    with reserved_port() as port, reserved_port() as controller:
        broker = Broker(folder, port, controller)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
