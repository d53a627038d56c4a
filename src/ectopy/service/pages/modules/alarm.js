// One alarm: the evidence, why, what to do, the answer, and everything that ever happened to it.

import { get, patientPath, post, serverNow } from "./api.js";
import { element, onSubmit, query, setText, showFacts } from "./dom.js";
import { followAlarms } from "./events.js";
import { card } from "./gallery.js";
import { extent, GAIN_MM_MV, showStrip, SPEED_MM_S, valueRange } from "./paper.js";
import { announce, attempt, may, outcome, parameter, prioritySign, refresh, reloadWhenOpen, reply, requireSubject, setUpCopy, start } from "./page.js";
import { alarmAge, alarmLasted, capitalise, clock, continuation, figure, isAcknowledged, isPresent, moment } from "./format.js";

const AROUND_S = 60;
const AGE_MS = 500;
const PRESENCE_MS = 2000;
const LOG = {
  true: "whole: its chain of digests is intact",
  false: "damaged: its chain of digests is broken",
  null: "not checked: the database does not answer",
};
const QUIET = {
  enabled: () => "Nobody has acknowledged it.",
  "audio-paused": (until) => `The sound is paused${until}; nobody has acknowledged it.`,
  "audio-off": () => "The sound is off.",
  "alarm-paused": () => "The alarm is paused.",
  "alarm-off": () => "The alarm is off.",
};

const patient = parameter("patient");
const number = parameter("number");
const path = patientPath(patient, `/alarms/${encodeURIComponent(number)}`);
const visitor = await start();
await requireSubject(path);
let shownStrip = null;
let current = null; // the alarm
let summary = null; // of the patient

function show(detail) {
  const { alarm, name } = detail;
  const isAnswered = isAcknowledged(alarm);
  current = alarm;
  document.title = `${alarm.title}, ${name} – Ectopy`;
  const title = query("#title");
  title.className = `band title ${alarm.priority}${isAnswered ? " answered" : ""}`;
  title.querySelector(".sign")?.remove();
  title.prepend(prioritySign(alarm.priority));
  setText(query("#what"), alarm.title);
  query("#whom").replaceChildren(
    element("a", { href: `/patient?patient=${encodeURIComponent(patient)}` }, name),
    ` · ${alarm.priority} priority · since ${moment(alarm.since_time)} · `,
    element("span", { id: "age" }),
  );
  tick();
  // What is to be done at once was done by whoever has acknowledged it.
  setText(query("#do"), isAnswered || alarm.ended_time !== null ? "" : alarm.advice);
  query("#do").hidden = query("#do").textContent === "";
  setText(query("#text"), alarm.text);
  query("#figures").replaceChildren(
    ...[
      ["measured", alarm.value],
      ["limit", alarm.limit],
    ]
      .filter(([, value]) => value !== null)
      .map(([word, value]) => element("p", {}, element("b", {}, `${figure(value, Number.isInteger(value) ? 0 : 1)} ${alarm.unit}`), word)),
  );
  showFacts("#rule", [
    ["Rule", alarm.definition],
    ["Source", alarm.source],
    ["Software", alarm.software],
    ["Detector", `SHA-256 ${alarm.bundle.slice(0, 16)}…`],
    ["Log", LOG[alarm.log_whole]],
  ]);
  setText(query("#replay"), alarm.replay);
  showAnswer(alarm, isAnswered);
  showHistory(alarm);
}

/** The age of the alarm, which goes on. */
function tick() {
  if (current) setText(query("#age"), presence(current));
}

function presence(alarm) {
  const { received_time: received } = summary; // null of the service itself, which has no signal
  if (isPresent(alarm)) return continuation(alarm, serverNow(), received === null ? 0 : serverNow() - received);
  if (alarm.state === "active") return `${alarmAge(alarm, serverNow())}, and may return`;
  if (alarm.state === "latched") return `${alarmAge(alarm, serverNow())}, and waits for an acknowledgement`;
  return "over";
}

function showAnswer(alarm, isAnswered) {
  const isOver = alarm.ended_time !== null;
  const until = alarm.acknowledged_until_time;
  const runsOut = until === null ? "" : ` It sounds again at ${clock(until)} if it goes on.`;
  const pastText = isPresent(alarm) ? "" : `It lasted ${alarmLasted(alarm)}, until ${moment(alarm.cleared_time ?? alarm.ended_time)}. `;
  const pauseEnd = summary.audio_paused_until_time;
  const words = isAnswered ? `Acknowledged by ${alarm.acknowledged_by}.${isOver ? "" : runsOut}` : isOver ? "" : QUIET[alarm.inactivation](pauseEnd === null ? "" : ` until ${clock(pauseEnd)}`);
  setText(query("#standing"), pastText + words);
  const mayAnswer = may(visitor, "acknowledge");
  query("#answer").hidden = !mayAnswer;
  query("#acknowledge").hidden = isOver || isAnswered || !mayAnswer;
  query("#unacknowledge").hidden = isOver || !isAnswered;
  query("#pause").hidden = isOver || isAnswered || alarm.inactivation === "audio-paused";
}

function showHistory({ history, comments }) {
  const commentEntries = comments.map(({ time, who, comment }) => ({ time, change: "comment", who, why: comment, level: 0 }));
  query("#history").replaceChildren(
    ...[...history, ...commentEntries].toSorted((first, second) => first.time - second.time).map(({ time, change, who, why, level, stored }) =>
      element(
        "li",
        {},
        element("span", { class: "muted" }, clock(time)),
        element("span", {}, capitalise(change), who ? ` by ${who}` : "", level ? ` (level ${level})` : "", stored === false ? " – not stored yet" : ""),
        why ? element("blockquote", {}, why) : null,
      ),
    ),
  );
}

async function showEvidence(alarm, threshold) {
  const { strip, evidence } = alarm;
  if (!strip) {
    query("#strip-scroll").hidden = true;
    setText(query("#strip-words"), "There is no signal of this stretch.");
    return;
  }
  const stop = strip.start_time + strip.samples[0].length / strip.rate_hz;
  const beats = await beatsOf(strip, stop);
  const times = evidence?.beat_time ?? [];
  const highlight = times.length ? [times[0] - 0.3, times.at(-1) + 0.5] : [alarm.since_time, Math.min(stop, alarm.onset_time)];
  showStrip(query("#strip"), strip, { beats, threshold, highlight });
  const scale = `${SPEED_MM_S} mm/s · ${GAIN_MM_MV} mm/mV · as received, without its offset`;
  setText(query("#strip-words"), `${moment(strip.start_time)} to ${clock(stop)} · ${scale} · shaded: what the alarm rests on`);
  const leads = strip.leads.map((lead, at) => `${lead} spans ${figure(height(strip.samples[at]), 1)} mV`).join(", ");
  const waves = (strip.pulses ?? []).map(waveWords).join("");
  query("#strip").setAttribute("aria-label", `ECG from ${clock(strip.start_time)} to ${clock(stop)}: ${beats.length} beats; ${leads}${waves}.`);
  const cards = times.map((time, at) => {
    const picture = { ...evidence, samples: evidence.samples[at], reconstruction: evidence.reconstruction[at] };
    return card(picture, [`Beat at ${clock(time)}`], `Beat at ${clock(time)} and what was expected`);
  });
  query("#evidence").replaceChildren(...cards);
}

/** By their positions: of a recording that is played quickly, times are those of the clock and run into each other. */
async function beatsOf({ position, rate_hz: rateHz, samples, start_time: start }, stop) {
  const nearbyBeats = await get(patientPath(patient, `/beats?start=${start - AROUND_S}&stop=${stop + AROUND_S}`));
  return nearbyBeats
    .filter((beat) => beat.position >= position && beat.position < position + samples[0].length)
    .map((beat) => ({ ...beat, time: start + (beat.position - position) / rateHz }));
}

function waveWords({ name, unit, samples }) {
  const { low, high } = valueRange(samples);
  return unit === "mmHg" ? `; ${name} from ${figure(low, 0)} to ${figure(high, 0)} ${unit}` : `; ${name}`;
}

function height(samples) {
  const { up, down } = extent(samples, 1);
  return up + down;
}

/** Whether the condition of an active alarm is present, and whether there is a signal, changes without an entry in its log. */
async function loadPresence() {
  if (current?.state !== "active") return;
  const [active, newest] = await Promise.all([get(patientPath(patient, "/alarms?active=true")), get(patientPath(patient))]);
  summary = newest;
  const alarm = active.find((candidate) => String(candidate.number) === number);
  if (!alarm || alarm.cleared_time === current.cleared_time) return;
  current = { ...current, ...alarm };
  tick();
  showAnswer(current, isAcknowledged(current));
}

async function load() {
  const [alarm, newest] = await Promise.all([get(path), get(patientPath(patient))]);
  summary = newest;
  show({ alarm, name: summary.name || patient });
  const strip = JSON.stringify([alarm.strip?.position, alarm.strip?.samples[0]?.length, alarm.evidence?.beat_time]);
  if (strip !== shownStrip) await showEvidence(alarm, summary.baseline.threshold);
  shownStrip = strip;
}

/** Send a command by the button `at`; what is written in the field goes with it. */
async function command(rest, words, at) {
  const field = query("#comment");
  const comment = field.value.trim();
  const answer = await attempt(() => post(rest, { comment }), at);
  if (!answer) return;
  if (field.value.trim() === comment) field.value = ""; // what was written meanwhile is the next comment
  await refresh(load);
  if (at.hidden) announce(outcome(words, answer));
  else reply(at, outcome(words, answer));
}

onSubmit("#answer", () => {
  const field = query("#comment");
  if (field.value.trim()) command(`${path}/comments`, "The comment is kept.", field);
  else reply(field, "Write what was seen, or what was done.", true);
});
for (const [id, rest, words] of [
  ["#acknowledge", `${path}/acknowledge`, "Acknowledged."],
  ["#unacknowledge", `${path}/unacknowledge`, "The acknowledgement is taken back."],
  ["#pause", patientPath(patient, "/audio-pause"), "The sound is paused."],
]) {
  query(id).addEventListener("click", async ({ currentTarget: button }) => {
    await command(rest, words, button);
    const isFocusLost = [button, document.body].includes(document.activeElement);
    if (button.hidden && isFocusLost) query("#alarm").focus({ preventScroll: true });
  });
}
setInterval(tick, AGE_MS);
setInterval(() => loadPresence().catch(() => null), PRESENCE_MS);
setUpCopy("#replay");
await refresh(load);
followAlarms(patient, {
  alarm: ({ alarm }) => String(alarm.number) === number && refresh(load),
  connection: reloadWhenOpen(load),
});
