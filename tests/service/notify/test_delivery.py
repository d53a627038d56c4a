"""Notification: messages are right, signed, grouped, tried again, and neither lost nor taken for two."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import Message as Mail
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy import __version__
from ectopy.disclaimers import STATEMENTS
from ectopy.errors import DataError, SettingError
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase, Transition
from ectopy.monitor.alarm_json import alarm_json
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.service.notify import (
    AppriseTarget,
    DeliveryWorker,
    MessageFilter,
    Target,
    WebhookTarget,
    deliver_due,
    deliveries_of,
    load_targets,
    read_message,
    unreached,
    verify,
)
from ectopy.service.notify.batching import QueuedMessage, group
from ectopy.service.notify.delivery import MOST_ATTEMPTS, backoff_s
from ectopy.service.notify.memory_outbox import MemoryOutbox
from ectopy.service.notify.messages import body, subject
from ectopy.service.notify.outbox import Delivery, DeliveryState
from ectopy.service.notify.signature import sign
from support.webhooks import NOW, SECRET, Receiver, answer, running

DELIVERED, WAITING, DEAD = DeliveryState.DELIVERED, DeliveryState.WAITING, DeliveryState.DEAD

HIGH, MEDIUM, LOW, TECHNICAL = "asystole", "pause", "couplet", "no data"


def changed(
    condition: str = HIGH, number: int = 1, change: str = "raised", level: int = 0, who: str = ""
) -> AlarmChanged:
    kind = CONDITIONS[condition]
    reading = ConditionReading(condition, True, "No beat for 5.2 s, limit 4 s.", 5.2, 4.0)
    alarm = Alarm(
        number=7,
        condition=condition,
        kind=kind.kind,
        priority=kind.priority,
        phase=Phase.START,
        state=AlarmState.ACTIVE,
        inactivation=Inactivation.ENABLED,
        present_s=100.0,
        raised_s=104.0,
        reading=reading,
        latest=reading,
        level=level,
    )
    transition = Transition(number, 104.5, change, alarm, who, "", "0" * 64, f"{number:064x}")
    return AlarmChanged(number, 104.5, transition)


def messages_for(event: AlarmChanged, *targets: Target, patient: str = "bed 7", at: float = NOW, name: str = "Ada"):
    return deliveries_of(event, patient, targets, at=at, created=at, bundle="b" * 64, patient_name=name)


class ReadableOutbox(MemoryOutbox):
    """An outbox whose messages a test can read."""

    def __init__(self) -> None:
        super().__init__()
        self._put: dict[str, Delivery] = {}

    def put(self, *deliveries: Delivery) -> None:
        self._put |= {delivery.key: delivery for delivery in deliveries}
        super().put(deliveries)

    @property
    def deliveries(self) -> dict[str, Delivery]:
        return {key: self.outcome(delivery) for key, delivery in self._put.items()}

    def states(self) -> Counter[DeliveryState]:
        return Counter(delivery.state for delivery in self.deliveries.values())


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def outbox() -> ReadableOutbox:
    return ReadableOutbox()


def webhook(receiver: Receiver, name: str = "ward", **settings) -> WebhookTarget:
    return WebhookTarget(name, receiver.url + "/alarms", SECRET, **settings)


@pytest.fixture
def ward(receiver: Receiver) -> WebhookTarget:
    return webhook(receiver)


# What a message says


def test_a_message_holds_the_documented_keys():
    target = WebhookTarget("ward", "https://example.org", SECRET)
    (delivery,) = messages_for(changed(level=2, change="escalated"), target)
    payload = json.loads(delivery.payload)
    assert payload == {
        "key": delivery.key,
        "patient": "bed 7",
        "patient_name": None,
        "number": 1,
        "time": NOW,
        "at_s": 104.5,
        "change": "escalated",
        "who": "",
        "why": "",
        "transition": 1,
        "digest": f"{1:064x}",
        "alarm": alarm_json(changed(level=2, change="escalated").transition.alarm, "bed 7", NOW - 104.5),
        "software": f"ectopy {__version__}",
        "bundle": "b" * 64,
        "replay": "ectopy what-if --stored 'bed 7' --to 105",
    }
    assert (delivery.created, delivery.due, delivery.attempts, delivery.high) == (NOW, NOW, 0, True)


ANY = WebhookTarget("any", "https://example.org", SECRET)


def test_people_get_plain_lines():
    messages = [read_message(delivery.payload) for delivery in messages_for(changed(), ANY)]
    assert subject(messages) == "HIGH: Asystole raised, patient bed 7"
    text = body(messages).splitlines()
    assert text[0] == "No beat for 5.2 s, limit 4 s."
    assert text[-1] == " ".join(STATEMENTS)


def test_many_messages_are_told_in_few_lines():
    messages = [
        read_message(delivery.payload)
        for number in range(40)
        for delivery in messages_for(changed(TECHNICAL), ANY, patient=f"bed {number}")
    ]
    assert subject(messages) == "No data, 40 messages, 40 patients"
    lines = body(messages).splitlines()
    assert len(lines) == 22
    assert lines[0].startswith("MEDIUM: No data raised, patient bed 0. ")
    assert lines[20] == "... and 20 more."


@given(st.text(max_size=30))
def test_no_patient_can_add_a_line(patient: str):
    (delivery,) = messages_for(changed(), ANY, patient=patient)
    message = read_message(delivery.payload)
    assert message.patient == patient
    assert subject([message]).isprintable()
    assert len(body([message]).split("\n")) == len(body([replace(message, patient="x")]).split("\n"))


@pytest.mark.parametrize("change", ["raised", "escalated", "returned", "ended"])
def test_every_target_hears_what_matters(change: str):
    assert messages_for(changed(change=change), ANY)


@pytest.mark.parametrize("change", ["latched", "acknowledged", "acknowledgement expired", "audio paused", "reminded"])
def test_the_rest_is_for_those_that_want_all(change: str):
    every = replace(ANY, name="log", wants=MessageFilter(every_change=True))
    assert [delivery.target for delivery in messages_for(changed(change=change, who="nurse 4"), ANY, every)] == ["log"]


def test_a_target_gets_its_priorities_and_levels():
    high = replace(ANY, name="high", wants=MessageFilter(priorities=("high",)))
    escalated = replace(ANY, name="escalated", wants=MessageFilter(level=1))
    assert [delivery.target for delivery in messages_for(changed(MEDIUM), ANY, high, escalated)] == ["any"]
    assert [delivery.target for delivery in messages_for(changed(HIGH), ANY, high, escalated)] == ["any", "high"]
    later = messages_for(changed(MEDIUM, change="escalated", level=1), ANY, high, escalated)
    assert [delivery.target for delivery in later] == ["any", "escalated"]
    assert not any(delivery.high for delivery in later)


def test_a_name_is_told_only_to_those_that_ask_for_it():
    asks = replace(ANY, name="asks", wants=MessageFilter(patient_name=True))
    plain, named = messages_for(changed(), ANY, asks, name="Ada Lovelace")
    assert "Ada" not in plain.payload
    assert "Ada" not in body([read_message(plain.payload)])
    assert json.loads(named.payload)["patient_name"] == "Ada Lovelace"
    assert "Patient: Ada Lovelace" in body([read_message(named.payload)])


def test_the_same_event_gives_the_same_keys_and_another_one_others():
    other = replace(ANY, name="other")
    first, second = messages_for(changed(), ANY, other)
    repeated, _ = messages_for(changed(), ANY, other, at=NOW + 1000)
    assert repeated.key == first.key
    assert first.message == second.message
    different = [
        second,
        *messages_for(changed(), ANY, patient="bed 8"),
        *messages_for(changed(number=2), ANY),
    ]
    assert len({delivery.key for delivery in [first, *different]}) == 4


def test_what_is_no_message_is_refused():
    with pytest.raises(DataError, match="not a message"):
        read_message('{"patient": "bed 7"}')


# Signatures


def test_signatures_are_those_of_standard_webhooks():
    secret, key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    content = b'{"test": 2432232314}'
    headers = sign(secret, key, 1614265330.9, content)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert verify(secret, headers, content, 1614265330.0) == key


@given(st.binary(max_size=50), st.integers(-300, 300), st.binary(min_size=24, max_size=64))
def test_what_was_signed_is_verified_in_any_spelling(content: bytes, late_s: int, secret: bytes):
    words = "whsec_" + base64.b64encode(secret).decode()
    headers = {name.title(): value for name, value in sign(words, "k", NOW, content).items()}
    headers["Webhook-Signature"] = "v1a,abc é " + headers["Webhook-Signature"]
    assert verify(words, headers, content, NOW + late_s) == "k"


@pytest.mark.parametrize(
    ("changes", "content", "later_s", "words"),
    [
        ({}, b"other", 0, "no signature fits"),
        ({"webhook-id": "another"}, b"content", 0, "no signature fits"),
        ({"webhook-timestamp": str(int(NOW) + 1)}, b"content", 0, "no signature fits"),
        ({"webhook-signature": ""}, b"content", 0, "no signature fits"),
        ({}, b"content", 301, "set the clocks"),
        ({}, b"content", -301, "set the clocks"),
        ({"webhook-timestamp": "soon"}, b"content", 0, "whole seconds"),
        ({"webhook-timestamp": "²"}, b"content", 0, "whole seconds"),
    ],
)
def test_what_was_changed_is_not_verified(changes: dict[str, str], content: bytes, later_s: float, words: str):
    headers = sign(SECRET, "key", NOW, b"content") | changes
    with pytest.raises(DataError, match=words):
        verify(SECRET, headers, content, NOW + later_s)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_unsigned_message_is_not_verified(missing: str):
    headers = sign(SECRET, "key", NOW, b"content")
    del headers[missing]
    with pytest.raises(DataError, match="not signed"):
        verify(SECRET, headers, b"content", NOW)


# Settings


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a?b=c", "http://127.0.0.1:8080/", "http://localhost", "http://[::1]:9", "https://10.0.0.1"],
)
def test_encrypted_or_local_addresses_are_taken(url: str):
    WebhookTarget("ward", url, SECRET)


def test_unencrypted_messages_must_be_wanted():
    with pytest.raises(SettingError, match="insecure = true"):
        WebhookTarget("ward", "http://example.org", SECRET)
    with pytest.raises(SettingError, match="insecure = true"):
        AppriseTarget("ward", "json://example.org")
    WebhookTarget("ward", "http://example.org", SECRET, insecure=True)
    AppriseTarget("ward", "json://example.org", insecure=True)
    AppriseTarget("ward", "jsons://example.org")
    AppriseTarget("ward", "json://127.0.0.1:8080")
    AppriseTarget("ward", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: WebhookTarget("", "https://example.org", SECRET),
        lambda: WebhookTarget("a\nb", "https://example.org", SECRET),
        lambda: WebhookTarget("ward", "ftp://example.org", SECRET),
        lambda: WebhookTarget("ward", "https:///path", SECRET),
        lambda: WebhookTarget("ward", "https://example.org:99999999", SECRET),
        lambda: WebhookTarget("ward", "https://example.org/a\r\nb", SECRET),
        lambda: WebhookTarget("ward", "https://example.org/a b", SECRET),
        lambda: WebhookTarget("ward", "https://exämple.org/", SECRET),
        lambda: WebhookTarget("ward", "https://hidden:hidden@example.org", SECRET),
        lambda: WebhookTarget("ward", "https://example.org", "hidden"),
        lambda: WebhookTarget("ward", "https://example.org", "whsec_hidden"),
        lambda: WebhookTarget("ward", "https://example.org", SECRET, timeout_s=0),
        lambda: WebhookTarget("ward", "https://example.org", SECRET, timeout_s=31),
        lambda: AppriseTarget("ward", "nosuch://hidden"),
        lambda: AppriseTarget("ward", "json://"),
        lambda: MessageFilter(priorities=()),
        lambda: MessageFilter(level=-1),
    ],
)
def test_settings_are_checked_and_show_no_secret(make: Callable[[], object], caplog: pytest.LogCaptureFixture):
    with pytest.raises(SettingError) as error:
        make()
    assert "hidden" not in str(error.value)
    assert "whsec_hidden" not in caplog.text


def test_targets_do_not_show_their_secrets():
    text = repr(WebhookTarget("ward", "https://example.org/hidden", SECRET)) + repr(
        AppriseTarget("people", "jsons://me:hidden@example.org")
    )
    assert "hidden" not in text
    assert SECRET not in text
    assert "ward" in text


SETTINGS = f"""
[[webhook]]
name = "ward"
url = "https://example.org/alarms"
secret = "{SECRET}"
timeout_s = 5
wants = {{ priorities = ["high", "medium"], every_change = true }}

[[apprise]]
name = "on call"
url = "mailtos://me:word@example.org"
wants = {{ level = 1, patient_name = true }}
"""


def test_targets_are_read_from_a_file(tmp_path: Path):
    path = tmp_path / "targets.toml"
    path.write_text(SETTINGS)
    assert load_targets(path) == (
        WebhookTarget(
            "ward",
            "https://example.org/alarms",
            SECRET,
            MessageFilter(("high", "medium"), every_change=True),
            timeout_s=5,
        ),
        AppriseTarget("on call", "mailtos://me:word@example.org", MessageFilter(level=1, patient_name=True)),
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("timeout_s = 5", 'timeout_s = "5"', "timeout_s"),
        ("timeout_s = 5", "timeout_s = 99", "at most 30"),
        ("timeout_s = 5", "colour = 5", "'colour' is unknown"),
        ("every_change", "all", "'all' is unknown"),
        ('"medium"', '"urgent"', "urgent"),
        ('name = "ward"', "", "name"),
        ('"on call"', '"ward"', "two targets"),
        ("[[apprise]]", "[[telegram]]", "'telegram' is unknown"),
        ("[[apprise]]", "[apprise]", r"\[\[apprise\]\]"),
        ('name = "ward"', "name = ", "not TOML"),
        (SECRET, "whsec_hidden", "whsec_"),
        ("https://", "http://", "insecure"),
    ],
)
def test_a_wrong_file_is_refused_without_its_secrets(tmp_path: Path, old: str, new: str, words: str):
    path = tmp_path / "targets.toml"
    path.write_text(SETTINGS.replace(old, new, 1))
    with pytest.raises(SettingError, match=words) as error:
        load_targets(path)
    assert SECRET not in str(error.value)
    assert "hidden" not in str(error.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(SettingError, match="cannot read"):
        load_targets(tmp_path / "targets.toml")
    (tmp_path / "big.toml").write_text("#" * 1_000_001)
    with pytest.raises(SettingError, match="smaller"):
        load_targets(tmp_path / "big.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    with pytest.raises(SettingError, match="not TOML"):
        load_targets(tmp_path / "odd.toml")


# Grouping

events = st.tuples(
    st.sampled_from(sorted(CONDITIONS)), st.sampled_from(["bed 1", "bed 2", "bed 3"]), st.sampled_from(["ward", "log"])
)


@given(st.lists(events, max_size=30))
def test_what_travels_together(waiting: list[tuple[str, str, str]]):
    queued = []
    for number, (condition, patient, name) in enumerate(waiting, 1):
        (delivery,) = messages_for(changed(condition, number), replace(ANY, name=name), patient=patient)
        queued.append(QueuedMessage(delivery, read_message(delivery.payload)))
    batches = group(queued)
    assert Counter(message.delivery.key for batch in batches for message in batch.queued) == Counter(
        message.delivery.key for message in queued
    )
    urgent = [any(message.delivery.high for message in batch.queued) for batch in batches]
    assert urgent == sorted(urgent, reverse=True)
    assert len({batch.key for batch in batches}) == len(batches)
    for batch, high in zip(batches, urgent, strict=True):
        assert len(batch.queued) == 1 or not high
        assert len({message.delivery.target for message in batch.queued}) == 1
        kinds = {message.message.alarm["type"] == "ST" for message in batch.queued}
        assert len(kinds) == 1
        assert kinds == {True} or len({message.patient for message in batch.messages}) == 1


def test_a_fallen_gateway_is_one_message(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    for number in range(40):
        outbox.put(*messages_for(changed(TECHNICAL), ward, patient=f"bed {number}"))
    assert deliver_due(outbox, [ward], NOW) == {DELIVERED: 40}
    ((_, content),) = receiver.requests
    assert len(content["messages"]) == 40


# Delivery


def test_a_message_arrives_signed_with_a_receipt(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    (delivery,) = messages_for(changed(), ward)
    outbox.put(delivery)
    assert deliver_due(outbox, [ward], NOW) == {DELIVERED: 1}
    assert receiver.requests == [(delivery.key, {"type": "ectopy.alarms", "messages": [json.loads(delivery.payload)]})]
    assert outbox.deliveries[delivery.key].receipt == "200 thanks"
    assert deliver_due(outbox, [ward], NOW + 100) == {}


def test_a_wrong_secret_is_noticed_by_the_receiver(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    stranger = replace(ward, secret="whsec_" + base64.b64encode(b"x" * 32).decode())
    outbox.put(*messages_for(changed(), stranger))
    assert deliver_due(outbox, [stranger], NOW) == {WAITING: 1}
    assert receiver.requests == []


def test_waits_grow_to_two_minutes():
    assert [backoff_s(attempts) for attempts in (1, 2, 3, 7, 8, 50)] == [1, 2, 4, 64, 120, 120]


def test_the_schedule_is_in_the_outbox_and_ends_in_a_dead_letter(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    receiver.answers = lambda number, content: answer(500, b"not today")
    (delivery,) = messages_for(changed(), ward)
    outbox.put(delivery)
    now, waits = NOW, []
    while outbox.deliveries[delivery.key].state is WAITING:
        due = outbox.deliveries[delivery.key].due
        assert deliver_due(outbox, [ward], due - 0.001) == {}
        waits.append(due - now)
        now = receiver.now = due
        deliver_due(outbox, [ward], now)
    assert waits == [0.0, *(backoff_s(attempts) for attempts in range(1, MOST_ATTEMPTS))]
    assert len(receiver.requests) == MOST_ATTEMPTS
    dead = outbox.deliveries[delivery.key]
    assert (dead.state, dead.attempts, dead.error) == (DEAD, MOST_ATTEMPTS, "500 not today")
    assert [record.getMessage() for record in caplog.records] == ["a message for 'ward' is given up: 500 not today"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (204, DELIVERED),
        *((status, DEAD) for status in (400, 401, 403, 404, 410, 413, 422)),
        *((status, WAITING) for status in (301, 307, 408, 409, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_what_a_status_means(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver, status: int, state: DeliveryState
):
    receiver.answers = lambda number, content: answer(status, Location=receiver.url + "/elsewhere")
    outbox.put(*messages_for(changed(), ward))
    assert deliver_due(outbox, [ward], NOW) == {state: 1}
    assert receiver.paths == ["/alarms"]


@pytest.mark.parametrize(
    ("retry_after", "wait_s"),
    [
        ("30", 30.0),
        ("0", 1.0),
        (format_datetime(datetime.fromtimestamp(NOW + 45, UTC), usegmt=True), 45.0),
        (format_datetime(datetime.fromtimestamp(NOW - 45, UTC), usegmt=True), 1.0),
        ("9" * 50, 3600.0),
        ("soon", 1.0),
        ("-5", 1.0),
    ],
)
def test_a_receiver_is_left_alone_as_it_asks(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver, retry_after: str, wait_s: float
):
    receiver.answers = lambda number, content: answer(429, Retry_After=retry_after)
    (delivery,) = messages_for(changed(), ward)
    outbox.put(delivery)
    deliver_due(outbox, [ward], NOW)
    assert outbox.deliveries[delivery.key].due == NOW + wait_s


def test_of_a_huge_answer_only_the_beginning_is_read(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    hung_up = threading.Event()

    def talk(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            handler.wfile.write(b"\n\x00ok")
            for _ in range(100):
                handler.wfile.write(b"x" * 1_000_000)
        except OSError:
            hung_up.set()

    receiver.answers = lambda number, content: talk
    (delivery,) = messages_for(changed(), ward)
    outbox.put(delivery)
    assert deliver_due(outbox, [ward], NOW) == {DELIVERED: 1}
    assert hung_up.wait(20)
    receipt = outbox.deliveries[delivery.key].receipt
    assert receipt.startswith("200 ok")
    assert len(receipt) <= 204
    assert receipt.isprintable()


def test_a_status_counts_though_its_answer_never_ends(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    released = threading.Event()

    def begin(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        released.wait(20)

    receiver.answers = lambda number, content: begin
    outbox.put(*messages_for(changed(), ward))
    assert deliver_due(outbox, [replace(ward, timeout_s=0.2)], NOW) == {DELIVERED: 1}
    released.set()


def test_a_silent_receiver_costs_one_wait_not_one_for_each_message(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver
):
    released = threading.Event()
    receiver.answers = lambda number, content: lambda handler: released.wait(20)
    for number in range(1, 31):
        outbox.put(*messages_for(changed(number=number), ward))
    assert deliver_due(outbox, [replace(ward, timeout_s=0.2)], NOW) == {WAITING: 30}
    released.set()
    assert len(receiver.requests) == 4
    errors = Counter(delivery.error for delivery in outbox.deliveries.values())
    assert errors == {"no answer within 0.2 s": 4, "not tried: no answer within 0.2 s": 26}
    assert {delivery.due for delivery in outbox.deliveries.values()} == {NOW + 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"220 mail.example.org\r\n\r\n", "an answer that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200, "an answer that is not HTTP"),
        (b"", "an answer that is not HTTP"),
        (b"HTTP/1.1 301 Gone\r\nLocation: http://[::1\r\n\r\nread", "an answer that is not HTTP"),
        (b"HTTP/1.1 500 \xff\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "500"),
    ],
)
def test_a_receiver_that_speaks_no_http(outbox: ReadableOutbox, content: bytes, words: str):
    class Tongue(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline().strip().lower():
                if line.startswith(b"content-length"):
                    length = int(line.split()[1])
            self.rfile.read(length)
            self.wfile.write(content)

    with socketserver.TCPServer(("127.0.0.1", 0), Tongue) as server:
        target = WebhookTarget("foreign", f"http://127.0.0.1:{server.server_address[1]}/hidden", SECRET)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        (delivery,) = messages_for(changed(), target)
        outbox.put(delivery)
        assert deliver_due(outbox, [target], NOW) == {WAITING: 1}
        thread.join()
        assert outbox.deliveries[delivery.key].error == words
    assert deliver_due(outbox, [target], NOW + 1) == {WAITING: 1}
    assert outbox.deliveries[delivery.key].error == "no connection"


def test_a_receiver_that_does_not_encrypt(outbox: ReadableOutbox, ward: WebhookTarget):
    target = replace(ward, url=ward.url.replace("http:", "https:"))
    (delivery,) = messages_for(changed(), target)
    outbox.put(delivery)
    assert deliver_due(outbox, [target], NOW) == {WAITING: 1}
    assert outbox.deliveries[delivery.key].error == "no encrypted connection; see the certificate"


def test_an_unreadable_payload_is_a_dead_letter(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    good, bad = messages_for(changed(), ward) + messages_for(changed(number=2), ward)
    outbox.put(good, replace(bad, payload="{"))
    assert deliver_due(outbox, [ward], NOW) == {DELIVERED: 1, DEAD: 1}
    assert "not a message" in outbox.deliveries[bad.key].error
    assert "given up" in caplog.text


def test_targets_need_different_names(outbox: ReadableOutbox, ward: WebhookTarget):
    with pytest.raises(SettingError, match="two targets"):
        deliver_due(outbox, [ward, ward], NOW)
    with pytest.raises(SettingError, match="two targets"):
        DeliveryWorker(outbox, [ward, ward])
    assert deliver_due(outbox, [], NOW) == {}


def waiting_for(*targets: Target, patients: int = 10) -> list[Delivery]:
    """Messages of all sorts."""
    return [
        delivery
        for number in range(patients)
        for condition in (HIGH, MEDIUM, LOW, TECHNICAL)
        for change in (1, 2)
        for delivery in messages_for(
            changed(condition, change + 2 * sorted(CONDITIONS).index(condition)), *targets, patient=f"bed {number}"
        )
    ]


def test_nothing_is_lost_or_doubled_when_every_third_attempt_fails(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver
):
    def answers(number: int, content: dict) -> Callable[[BaseHTTPRequestHandler], None]:
        if number % 3 == 0:
            return answer(500)
        keys.extend(message["key"] for message in content["messages"])
        return answer(200)

    keys: list[str] = []
    receiver.answers = answers
    outbox.put(*waiting_for(ward))
    while outbox.states()[WAITING]:
        deliver_due(outbox, [ward], receiver.now)
        receiver.now += 130
    assert Counter(keys) == Counter([*outbox.deliveries])


class Torn(ReadableOutbox):
    """An outbox that is lost between a message's sending and its marking, now and then."""

    marks = 0

    def succeeded(self, key: str, now: float, receipt: str) -> None:
        self.marks += 1
        if self.marks % 5 == 0:
            raise OSError("the database has gone away")
        super().succeeded(key, now, receipt)


def test_who_remembers_keys_gets_each_message_once_though_the_courier_dies_before_marking(
    ward: WebhookTarget, receiver: Receiver
):
    outbox = Torn()
    receiver.answers = lambda number, content: answer(500) if number % 3 == 0 else receiver.accept(content)
    outbox.put(*waiting_for(ward))
    deaths = 0
    while outbox.states()[WAITING]:
        try:
            deliver_due(outbox, [ward], receiver.now)
        except OSError:
            deaths += 1
        receiver.now += 130
    assert deaths > 0
    keys = [message["key"] for _, content in receiver.requests for message in content["messages"]]
    assert len(keys) > len(outbox.deliveries)
    assert Counter(receiver.received) == Counter([*outbox.deliveries])


# The worker


def now_waiting(*deliveries: Delivery) -> list[Delivery]:
    return [replace(delivery, created=time.time(), due=0.0) for delivery in deliveries]


def test_a_dead_target_holds_up_no_other(outbox: ReadableOutbox, receiver: Receiver):
    released = threading.Event()
    receiver.now = time.time()
    with running(Receiver()) as dead:
        dead.now = receiver.now
        dead.answers = lambda number, content: lambda handler: released.wait(20)
        targets = [webhook(dead, "dead"), webhook(receiver, "alive")]
        worker = DeliveryWorker(outbox, targets, poll_s=0.01)
        outbox.put(*now_waiting(*messages_for(changed(), targets[0])))
        worker.start()
        dead.wait_for(lambda: len(dead.requests) == 1)
        outbox.put(*now_waiting(*waiting_for(targets[1])))
        receiver.wait_for(lambda: sum(len(content["messages"]) for _, content in receiver.requests) == 80)
        assert outbox.states()[WAITING] >= 1
        released.set()
        worker.stop()


def test_lesser_messages_do_not_hold_up_an_alarm(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    released = threading.Event()
    receiver.now = time.time()

    def answers(number: int, content: dict) -> Callable[[BaseHTTPRequestHandler], None]:
        high = content["messages"][0]["alarm"]["priority"] == "high"
        return answer(200) if high else lambda handler: released.wait(20)

    receiver.answers = answers
    for number in range(8):
        outbox.put(*now_waiting(*messages_for(changed(LOW), ward, patient=f"bed {number}")))
    worker = DeliveryWorker(outbox, [ward], poll_s=60)
    worker.start()
    receiver.wait_for(lambda: len(receiver.requests) == 4)
    outbox.put(*now_waiting(*messages_for(changed(HIGH, number=2), ward)))
    worker.wake()
    receiver.wait_for(lambda: len(receiver.requests) == 5)
    released.set()
    worker.stop()
    assert receiver.requests[4][1]["messages"][0]["alarm"]["priority"] == "high"


def test_a_courier_goes_on_where_another_one_stopped(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    receiver.now = time.time()
    receiver.answers = lambda number, content: receiver.accept(content)
    outbox.put(*now_waiting(*waiting_for(ward)))
    clock = [time.time()]
    while outbox.states()[WAITING]:
        requests = len(receiver.requests)
        worker = DeliveryWorker(outbox, [ward], clock=lambda: clock[0], poll_s=0.01)
        worker.start()
        receiver.wait_for(lambda requests=requests: len(receiver.requests) > requests)
        worker.stop()
        clock[0] += 61
        receiver.now += 61
    assert Counter(receiver.received) == Counter([*outbox.deliveries])
    assert outbox.states() == {DELIVERED: 80}


def test_a_courier_outlives_a_lost_outbox(ward: WebhookTarget, receiver: Receiver, caplog: pytest.LogCaptureFixture):
    class FailingOutbox(ReadableOutbox):
        claims = 0

        def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
            self.claims += 1
            if self.claims < 5:
                raise OSError("the database has gone away")
            return super().claim(now, most, target, high)

    outbox = FailingOutbox()
    receiver.now = time.time()
    outbox.put(*now_waiting(*messages_for(changed(), ward)))
    worker = DeliveryWorker(outbox, [ward], poll_s=0.01)
    worker.start()
    receiver.wait_for(lambda: len(receiver.requests) == 1)
    worker.stop()
    assert outbox.states() == {DELIVERED: 1}
    assert "cannot be delivered now" in caplog.text
    assert SECRET not in caplog.text


# Nobody reached


def test_nobody_reached_is_told_for_each_patient_and_clears(
    outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver
):
    receiver.answers = lambda number, content: answer(503, b"closed")
    outbox.put(*messages_for(changed(HIGH), ward, patient="bed 1"))
    outbox.put(*messages_for(changed(HIGH), ward, patient="bed 2", at=NOW + 30))
    outbox.put(*messages_for(changed(MEDIUM), ward, patient="bed 3"))
    deliver_due(outbox, [ward], NOW + 30)
    assert unreached(outbox, NOW + 59, 60) == {}
    readings = unreached(outbox, NOW + 70, 60)
    assert readings.keys() == {"bed 1"}
    assert (readings["bed 1"].present, readings["bed 1"].value, readings["bed 1"].limit) == (True, 70, 60)
    assert readings["bed 1"].condition in CONDITIONS
    assert "ward: 503 closed" in readings["bed 1"].text
    receiver.answers = lambda number, content: answer(200)
    outbox.put(*messages_for(changed("nobody reached", number=9), ward, patient="bed 2", at=NOW + 100))
    assert unreached(outbox, NOW + 100, 60).keys() == {"bed 1", "bed 2"}
    outbox.failed(next(iter(outbox.deliveries)), NOW + 100, "given up", None)
    deliver_due(outbox, [ward], NOW + 100)
    assert unreached(outbox, NOW + 300, 60).keys() == {"bed 1"}
    outbox.put(*messages_for(changed(HIGH, number=2), ward, patient="bed 1", at=NOW + 300))
    receiver.now = NOW + 300
    deliver_due(outbox, [ward], NOW + 300)
    assert unreached(outbox, NOW + 1000, 60) == {}


def test_one_target_is_enough_to_be_reached(outbox: ReadableOutbox, ward: WebhookTarget, receiver: Receiver):
    closed = WebhookTarget("closed", "http://127.0.0.1:9", SECRET)
    outbox.put(*messages_for(changed(), ward, closed))
    assert deliver_due(outbox, [ward, closed], NOW) == {DELIVERED: 1, WAITING: 1}
    assert unreached(outbox, NOW + 1000, 60) == {}


# People


def test_apprise_tells_people(outbox: ReadableOutbox, receiver: Receiver):
    people = AppriseTarget("people", receiver.url.replace("http", "json") + "/chat")
    notes: list[dict] = []
    receiver.take = lambda handler: (
        notes.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))),
        answer(200)(handler),
    )
    (delivery,) = messages_for(changed(), people)
    outbox.put(delivery)
    assert deliver_due(outbox, [people], NOW) == {DELIVERED: 1}
    assert notes[0]["title"] == "HIGH: Asystole raised, patient bed 7"
    assert notes[0]["message"].splitlines()[0] == "No beat for 5.2 s, limit 4 s."
    assert notes[0]["message"].endswith(" ".join(STATEMENTS))
    assert outbox.deliveries[delivery.key].receipt == "success"


@pytest.mark.parametrize(("status", "words"), [(500, "error=500"), (307, "error=307"), (None, "timeout")])
def test_apprise_says_what_went_wrong(outbox: ReadableOutbox, receiver: Receiver, status: int | None, words: str):
    released = threading.Event()
    paths: list[str] = []

    def take(handler: BaseHTTPRequestHandler) -> None:
        paths.append(handler.path)
        if status is None:
            released.wait(20)
        else:
            answer(status, Location=receiver.url + "/elsewhere")(handler)

    receiver.take = take
    people = AppriseTarget("people", receiver.url.replace("http://", "json://me:hidden@"), timeout_s=0.3)
    (delivery,) = messages_for(changed(), people)
    outbox.put(delivery)
    assert deliver_due(outbox, [people], NOW) == {WAITING: 1}
    released.set()
    failed = outbox.deliveries[delivery.key]
    assert words in failed.error
    assert "hidden" not in failed.error
    assert failed.due == NOW + 1
    assert len(paths) == 1


class Postbox(socketserver.ThreadingTCPServer):
    """As much of SMTP as a mail needs."""

    daemon_threads = True
    mails: list[Mail]

    class Handler(socketserver.StreamRequestHandler):
        server: Postbox

        def handle(self) -> None:
            self.wfile.write(b"220 postbox\r\n")
            while line := self.rfile.readline():
                verb = line.split()[0].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    raw = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.mails.append(message_from_bytes(raw, policy=policy.default))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return


def test_apprise_sends_mail(outbox: ReadableOutbox):
    with Postbox(("127.0.0.1", 0), Postbox.Handler) as postbox:
        postbox.mails = []
        thread = threading.Thread(target=postbox.serve_forever, args=(0.02,))
        thread.start()
        address = f"mailto://127.0.0.1:{postbox.server_address[1]}?mode=insecure&from=a@example.org&to=b@example.org"
        people = AppriseTarget("people", address)
        outbox.put(*messages_for(changed(), people, patient="7\r\nBcc: c@example.org"))
        assert deliver_due(outbox, [people], NOW) == {DELIVERED: 1}
        postbox.shutdown()
        thread.join()
    (mail,) = postbox.mails
    assert mail["Subject"] == "HIGH: Asystole raised, patient 7 Bcc: c@example.org"
    assert mail["Bcc"] is None
    assert mail["To"] == "b@example.org"
