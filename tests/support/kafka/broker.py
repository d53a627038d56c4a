"""A Kafka broker on this machine, for tests: started, stopped, killed and started again with what it has stored."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from ectopy.cluster.brokers import Brokers, load_brokers
from support.kafka.jars import broker_jars
from support.server import reserved_port
from support.waiting import until

# Everything it keeps is small, and nothing waits for others to join.
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}={password};
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
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
# A broker that was killed is soon taken for dead, and may start again.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# Anybody may do anything to a topic without rules of its own.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
_MODULES = "org.apache.kafka.common.security"
USER, PASSWORD = "ectopy", 'se"cret 1=#'
"""Who may sign in where there is TLS."""

_LOG = """<Configuration>
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class Broker:
    """A broker of one node, on a port of the loopback interface, with its data in a folder."""

    def __init__(self, folder: Path, port: int, secure: int, controller: int) -> None:
        self.brokers = Brokers(f"127.0.0.1:{port}")
        self.secure_address, self.authority = f"127.0.0.1:{secure}", folder / "authority.pem"
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "server.properties"
        self._settings.write_text(
            _PROPERTIES.format(
                port=port,
                secure=secure,
                controller=controller,
                folder=folder,
                modules=_MODULES,
                user=USER,
                password=json.dumps(PASSWORD).replace("\\", "\\" * 2),
            )
        )
        _write_certificate(self.authority, folder / "server.pem")
        (folder / "log4j2.xml").write_text(_LOG)
        identity = ["-t", uuid.uuid4().hex[:22], "-c", str(self._settings)]
        user = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        subprocess.run(
            self._java("kafka.tools.StorageTool", "format", *identity, *user), check=True, capture_output=True
        )
        self._process: subprocess.Popen[bytes] | None = None

    def _java(self, *command: str) -> list[str]:
        memory = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        log = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return ["java", *memory, log, "-cp", f"{broker_jars()}/*", *command]

    def secured(self, folder: Path, **changes: str) -> Brokers:
        """The port with TLS and users, reached as a file says; a change to nothing leaves a line out."""
        properties = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.authority),
        } | {name.replace("_", "."): value for name, value in changes.items()}
        lines = [f"{name} = {value}\n" for name, value in properties.items() if value]
        file = folder / "kafka.properties"
        file.write_text("".join(["# of the ward\n\n", *lines]))
        return load_brokers(self.secure_address, file)

    @contextmanager
    def denied(self, topic: str, operation: AclOperation) -> Iterator[None]:
        """Forbid something to `USER` until the block ends; everybody else may do anything."""
        everybody = ("User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW)
        user = (f"User:{USER}", "*", operation, AclPermissionType.DENY)
        place = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL)
        rules = [AclBinding(*place, *everybody), AclBinding(*place, *user)]
        admin = self.admin()
        for created in admin.create_acls(rules).values():
            created.result()
        try:
            yield
        finally:
            (deleted,) = admin.delete_acls([AclBindingFilter(*place, *user)]).values()
            deleted.result()

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
        return AdminClient(self.brokers.client_settings())

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin = self.admin()
        admin.create_topics([topic])[name].result()


def _write_certificate(authority: Path, server: Path) -> None:
    """Write the certificate of a server that vouches for itself, and a file of it and its key."""
    of_curve, for_here = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9", "-subj /CN=here"
    command = f"openssl req -x509 {of_curve} {for_here} -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", server, "-out", authority], check=True, capture_output=True)
    server.write_text(server.read_text() + authority.read_text())


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker that runs until the block ends."""
    with reserved_port() as port, reserved_port() as secure, reserved_port() as controller:
        broker = Broker(folder, port, secure, controller)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
