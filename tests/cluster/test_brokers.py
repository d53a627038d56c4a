"""A file says how to sign in to Kafka, for librdkafka and for Spark alike; what is wrong with it is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from confluent_kafka import Producer
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from ectopy.cluster.brokers import PROPERTIES, Brokers, RefusalError, check_access, connect, load_brokers
from ectopy.cluster.checkpoint import Manifest, open_checkpoint
from ectopy.cluster.query_failures import reason_of
from ectopy.cluster.stream import StreamSettings, monitor_source, start_query
from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.errors import SettingError
from support.kafka.broker import PASSWORD, Broker
from support.kafka.watching import events_written
from support.server import messages

KEY = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("sasl.pasword = secret", r"line 1: there is no property 'sasl.pasword'; there are security.protocol"),
        ("security.protocol = SASL_SSL\nsasl.password secret", "line 2: write NAME=VALUE"),
        ("", "security.protocol is one of PLAINTEXT, SSL"),
        ("security.protocol = TLS", "security.protocol is one of"),
        ("security.protocol = SASL_SSL\nsasl.password = secret", "needs sasl.mechanism, one of PLAIN"),
        ("security.protocol = SASL_SSL\nsasl.mechanism = GSSAPI", "needs sasl.mechanism, one of PLAIN"),
        ("security.protocol = SASL_SSL\nsasl.mechanism = PLAIN\nsasl.username = a", "sasl.password is missing"),
        ("security.protocol = SSL\nsasl.password = secret", "sasl.password needs security.protocol=SASL_SSL"),
        ("security.protocol = SSL\nssl.ca.location = absent.pem", "ssl.ca.location cannot be read: No such file"),
        ("security.protocol = SSL\nssl.ca.location = kafka.properties", "ssl.ca.location is not a file in PEM"),
        ("security.protocol = SSL\nssl.certificate.location = key.pem", "ssl.key.location is missing"),
        ("security.protocol = SSL\nssl.certificate.location = key.pem\nssl.key.location = rsa.pem", "PKCS#8"),
        ("security.protocol = SSL\nssl.ca.location = key.pem", "kafka.properties: .*ssl.ca.location"),
        ("\xff", "security.protocol is one of|line 1"),
        (f"# {2**20 * 'x'}", "is larger than"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(tmp_path: Path, lines: str, words: str):
    file = tmp_path / "kafka.properties"
    file.write_text(lines)
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "rsa.pem").write_text(KEY.replace("PRIVATE", "RSA PRIVATE"))
    with pytest.raises(SettingError, match=words) as refused:
        load_brokers("127.0.0.1:1", file)
    assert "secret" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_file_that_is_absent_is_named(tmp_path: Path):
    with pytest.raises(SettingError, match="absent cannot be read: No such file"):
        load_brokers("127.0.0.1:1", tmp_path / "absent")


def test_spark_gets_the_names_of_java_and_what_is_in_the_files(tmp_path: Path):
    for name in ("authority", "certificate", "key"):
        (tmp_path / f"{name}.pem").write_text(KEY + name)
    properties = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "bed 1",
        "sasl.password": 'a"b\\c=d',
        "ssl.ca.location": str(tmp_path / "authority.pem"),
        "ssl.certificate.location": str(tmp_path / "certificate.pem"),
        "ssl.key.location": str(tmp_path / "key.pem"),
        "ssl.key.password": "e",
    }
    assert properties.keys() == set(PROPERTIES)
    assert Brokers("a:1,b:2", properties).spark_options() == {
        "kafka.bootstrap.servers": "a:1,b:2",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "PLAIN",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
        r'username="bed 1" password="a\"b\\c=d";',
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.certificates": f"{KEY}authority",
        "kafka.ssl.keystore.type": "PEM",
        "kafka.ssl.keystore.certificate.chain": f"{KEY}certificate",
        "kafka.ssl.keystore.key": f"{KEY}key",
        "kafka.ssl.key.password": "e",
    }


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_who_signs_in_gets_in(broker: Broker, tmp_path: Path, mechanism: str):
    brokers = broker.secured(tmp_path, sasl_mechanism=mechanism)
    assert connect(brokers).list_topics(timeout=30).brokers
    check_access(brokers)
    assert PASSWORD not in repr(brokers)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sasl_password": "secret 2"}, "does not accept this user or password; check sasl.username"),
        ({"sasl_username": "nobody"}, "does not accept this user"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "does not accept.*sasl.mechanism"),
        ({"ssl_ca_location": ""}, "no secure connection to the broker; check ssl.ca.location"),
    ],
)
def test_a_refusal_says_what_to_check(broker: Broker, tmp_path: Path, changes: dict[str, str], words: str):
    brokers = broker.secured(tmp_path, **changes)
    with pytest.raises(RefusalError, match=words) as refused:
        connect(brokers)
    assert "secret" not in str(refused.value)
    with pytest.raises(RefusalError, match=words):
        check_access(brokers)


def test_a_stream_signs_in_and_leaves_no_password(spark: SparkSession, broker: Broker, tmp_path: Path):
    topics, brokers = Topics("secured", "secured-events"), broker.secured(tmp_path)
    topics.create(brokers, 1)
    producer = Producer(brokers.client_settings())
    for message in messages(simulate_recording(20, random_state=1)):
        producer.produce(topics.samples, message, b"bed 1")
    assert producer.flush(60) == 0

    def run(reached: Brokers) -> None:
        settings = StreamSettings(reached, topics, str(tmp_path / "checkpoint"), shards=1, learning_s=30.0)
        source = monitor_source(settings)
        manifest = Manifest(1, topics.samples, topics.output, source.digest, source.learning_s)
        query = start_query(spark, settings, open_checkpoint(spark, settings.checkpoint, manifest), source)
        try:
            query.processAllAvailable()
        finally:
            query.stop()

    run(brokers)
    assert events_written(broker, topics).keys() == {"bed 1"}
    written = [path.read_bytes() for path in (tmp_path / "checkpoint").rglob("*") if path.is_file()]
    assert written
    assert all(PASSWORD.encode() not in content and b"sasl" not in content for content in written)
    with pytest.raises(StreamingQueryException) as refused:
        run(broker.secured(tmp_path, sasl_password="secret 2"))
    assert "does not accept this user" in reason_of(refused.value)
