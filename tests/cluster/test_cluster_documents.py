"""The documents and examples for clusters name commands, options, columns and topics as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

pytest.importorskip("pyspark")
pytest.importorskip("yaml")
import yaml

from ectopy import cli
from ectopy.cluster.archive_tables import TABLES

ROOT = Path(__file__).parents[2]
EXAMPLES, DOCUMENT = ROOT / "examples" / "cluster", ROOT / "docs" / "past-one-machine.md"
CHART = EXAMPLES / "helm"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not beside the tests")


def check_command(words: list[str]) -> None:
    """Parse a command of Ectopy as the command line does, without running it."""
    assert words[0] == "ectopy"
    command, rest = typer.main.get_command(cli.app), words[1:]
    context = command.make_context("ectopy", list(rest), resilient_parsing=False)
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)


def render(template: str, values: Mapping[str, Any]) -> str:
    """What Helm makes of the few things that the templates use: values, the release, conditions, quotes."""

    def value(path: str) -> Any:
        place: Any = {"Values": values, "Release": {"Name": "ward"}}
        for name in path.strip(".").split("."):
            place = place[name]
        return place

    def conditional(match: re.Match[str]) -> str:
        return match[2] if value(match[1]) else ""

    text = re.sub(r"\{\{- if (\S+) \}\}\n(.*?)\{\{- end \}\}\n", conditional, template, flags=re.DOTALL)
    text = re.sub(r"\{\{ (\.\S+) \| quote \}\}", lambda match: f'"{value(match[1])}"', text)
    text = re.sub(r"\{\{ (\.\S+) \}\}", lambda match: str(value(match[1])), text)
    assert "{{" not in text
    return text


def manifests(**changes: Any) -> list[dict[str, Any]]:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, change in changes.items():
        values[name] |= change
    texts = [render(path.read_text(), values) for path in sorted((CHART / "templates").glob("*.yaml"))]
    return [manifest for text in texts for manifest in yaml.safe_load_all(text)]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in manifests(
        kafka={"accessSecret": "access"}, serve={"tlsSecret": "tls", "store": "postgresql://db/ectopy"}
    ):
        if "template" in manifest["spec"]:
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                yield manifest["metadata"]["name"], container


def test_the_services_of_compose_start_commands_that_exist():
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    services = compose["services"]
    commands = {name: service["command"] for name, service in services.items() if "command" in service}
    ours = {name: command for name, command in commands.items() if command[0] == "ectopy"}
    assert ours.keys() == {"watch", "serve", "archive"}
    for command in ours.values():
        check_command(command)
    assert {command[0] for command in commands.values()} == {"ectopy", "spark-class"}
    for name, service in services.items():
        assert re.fullmatch(r"[\w/-]+:\d[\w.-]+", service["image"]), name
        for other in service.get("depends_on", ()):
            assert other in services
        for volume in service.get("volumes", ()):
            source = volume.rsplit(":", 2 if volume.endswith(":ro") else 1)[0]
            assert source in compose["volumes"] or source.startswith("${"), volume
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    # Where the stream and its workers keep the checkpoint is one place.
    assert "checkpoint:/checkpoint" in set(services["watch"]["volumes"]) & set(services["spark-worker"]["volumes"])


def test_the_chart_makes_manifests_whose_commands_exist():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["apiVersion"] == "v2"
    kinds = [manifest["kind"] for manifest in manifests()]
    assert sorted(kinds) == sorted(["Service", "StatefulSet", "Deployment"] + ["PersistentVolumeClaim"] * 2 + [
        "Deployment", "Service", "Deployment"
    ])  # fmt: skip
    commands = {name: container["command"] for name, container in containers()}
    ours = {name: command for name, command in commands.items() if command[0] == "ectopy"}
    assert ours.keys() == {"ward-watch", "ward-serve"}
    for command in ours.values():
        assert all(isinstance(word, str) for word in command)
        check_command(command)
    assert "--tls-key" in ours["ward-serve"]
    assert all("--kafka-config" in command for command in ours.values())
    claims = {manifest["metadata"]["name"] for manifest in manifests() if manifest["kind"] == "PersistentVolumeClaim"}
    for manifest in manifests():
        pod = manifest["spec"].get("template")
        if pod is None:
            continue
        assert pod["metadata"]["labels"] == manifest["spec"]["selector"]["matchLabels"]
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
        for volume in volumes.values():
            assert volume["persistentVolumeClaim"]["claimName"] in claims
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container.get("volumeMounts", ())} == volumes.keys()
            assert container["resources"]["limits"]["memory"]


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def check_parts_fit(watch: list[str], serve: list[str], master: str) -> None:
    """The stream, the service and Spark's master name the same brokers, topics and addresses."""
    assert option(watch, "--brokers") == option(serve, "--cluster")
    assert option(watch, "--input") == option(serve, "--cluster-input")
    assert option(watch, "--output") == option(serve, "--cluster-output")
    assert option(watch, "--master") == master
    assert f"COPY --from=jars /jars {option(watch, '--jars')}" in (EXAMPLES / "Dockerfile").read_text()


def test_the_services_of_compose_reach_each_other():
    services = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]
    commands = {name: service["command"] for name, service in services.items() if "command" in service}
    master = f"spark://{option(commands['spark-master'], '--host')}:{option(commands['spark-master'], '--port')}"
    check_parts_fit(commands["watch"], commands["serve"], master)
    assert option(commands["spark-master"], "--host") == services["spark-master"]["hostname"] == "spark-master"
    assert commands["spark-worker"][-1] == option(commands["archive"], "--master") == master
    port = option(commands["serve"], "--port")
    assert services["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    # An archive has cores beside the stream.
    per_application = int(services["spark-master"]["environment"]["SPARK_MASTER_OPTS"].rpartition("=")[2])
    assert int(option(commands["spark-worker"], "--cores")) >= 2 * per_application

    kafka = services["kafka"]["environment"]
    assert option(commands["watch"], "--brokers") == "kafka:9092"
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
    assert "PLAINTEXT://:9092" in kafka["KAFKA_LISTENERS"].split(",")
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@kafka:9093"
    assert services["kafka"]["healthcheck"]["test"][-1] == "localhost:9092"
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert {volume.partition(":")[2] for volume in services["kafka"]["volumes"]} == {kafka["KAFKA_LOG_DIRS"]}
    for name, path in (("watch", "--checkpoint"), ("serve", "--home"), ("archive", "-o")):
        folders = {volume.split(":")[1] for volume in services[name]["volumes"]}
        assert option(commands[name], path) in folders


def test_the_parts_of_the_chart_reach_each_other():
    pods = dict(containers())
    services = {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "Service"}
    (headless,) = [each["spec"] for each in manifests() if each["kind"] == "StatefulSet"]
    watch, serve = pods["ward-watch"]["command"], pods["ward-serve"]["command"]
    host, port = option(pods["ward-spark"]["command"], "--host"), option(pods["ward-spark"]["command"], "--port")
    # The name of the first pod of a StatefulSet, in its service.
    assert host == f"ward-spark-0.{headless['serviceName']}"
    check_parts_fit(watch, serve, f"spark://{host}:{port}")
    assert pods["ward-worker"]["command"][-1] == f"spark://{host}:{port}"
    for name, command, flag in (("spark", pods["ward-spark"]["command"], "--port"), ("serve", serve, "--port")):
        (exposed,), (own,) = services[f"ward-{name}"]["ports"], pods[f"ward-{name}"]["ports"]
        probe = pods[f"ward-{name}"]["readinessProbe"]["tcpSocket"]["port"]
        assert {exposed["port"], own["containerPort"], probe} == {int(option(command, flag))}
        assert services[f"ward-{name}"]["selector"] == {"app": f"ward-{name}"}
    for name, flag in (("watch", "--checkpoint"), ("serve", "--home")):
        mounts = {mount["mountPath"] for mount in pods[f"ward-{name}"]["volumeMounts"]}
        command = pods[f"ward-{name}"]["command"]
        assert {option(command, flag), option(command, "--kafka-config").rpartition("/")[0]} <= mounts
    assert option(serve, "--tls-key").rpartition("/")[0] in {
        mount["mountPath"] for mount in pods["ward-serve"]["volumeMounts"]
    }


def test_the_image_has_the_versions_of_the_connector():
    (connector,) = re.findall(r"<version>([\d.]{3,})</version>", (EXAMPLES / "connector.xml").read_text())
    assert f"pyspark=={connector} " in (EXAMPLES / "Dockerfile").read_text()


def test_the_document_shows_commands_that_exist():
    lines = re.findall(r"^    (ectopy (?:cluster|serve) .*?)(?: {2,}#.*)?$", DOCUMENT.read_text(), re.MULTILINE)
    shown = [line for line in lines if "[" not in line]
    assert len(shown) >= 3
    for line in shown:
        check_command(shlex.split(line))


def test_the_document_shows_the_schemas():
    text = DOCUMENT.read_text()
    for table, schema in TABLES.items():
        section = text.partition(f"### {table}\n")[2].partition("\n###")[0]
        rows = re.findall(r"^\| `.*$", section, re.MULTILINE)
        expected = []
        for field in schema:
            facts = {name.decode(): content.decode() for name, content in field.metadata.items()}
            expected.append(f"| `{field.name}` | {field.type} | {facts['unit']} | {facts['range']} | {facts['text']} |")
        assert rows == expected
