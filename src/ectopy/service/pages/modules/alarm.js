// One alarm: the evidence, why, what to do, the answer, and everything that ever happened to it.

import { get, patientPath, post, serverNow } from "./api.js";
import { element, find, say } from "./dom.js";
import { hear } from "./events.js";
import { card } from "./gallery.js";
import { extent, GAIN_MM_MV, reach, showStrip, SPEED_MM_S } from "./paper.js";
import { announce, attempt, connection, may, outcome, parameter, refresh, reply, sign, start } from "./shell.js";
import { acknowledged, alarmAge, alarmLasted, capital, clock, figure, moment } from "./words.js";

const AROUND_S = 60;
const AGE_MS = 500;
const LOG = {
  true: "whole: its chain of digests is intact",
  false: "damaged: its chain of digests is broken",
  null: "not checked: the database does not answer",
};
const QUIET = {
  enabled: "Nobody has acknowledged it.",
  "audio-paused": "The sound is paused; nobody has acknowledged it.",
  "audio-off": "The sound is off.",
  "alarm-paused": "The alarm is paused.",
  "alarm-off": "The alarm is off.",
};

const patient = parameter("patient");
const number = parameter("number");
const path = patientPath(patient, `/alarms/${encodeURIComponent(number)}`);
const visitor = await start();
let shown = null;
let current = null; // the alarm

function show(detail) {
  const { alarm, name } = detail;
  const answered = acknowledged(alarm);
  current = alarm;
  document.title = `${alarm.title}, ${name} – Ectopy`;
  const title = find("#title");
  title.className = `band title ${alarm.priority}${answered ? " answered" : ""}`;
  title.querySelector(".sign")?.remove();
  title.prepend(sign(alarm.priority));
  say(find("#what"), alarm.title);
  find("#whom").replaceChildren(
    element("a", { href: `/patient?patient=${encodeURIComponent(patient)}` }, name),
    ` · ${alarm.priority} priority · since ${moment(alarm.since_time)} · `,
    element("span", { id: "age" }),
  );
  tick();
  // What is to be done at once was done by whoever has acknowledged it.
  say(find("#do"), answered || alarm.ended_time !== null ? "" : alarm.advice);
  find("#do").hidden = find("#do").textContent === "";
  say(find("#text"), alarm.text);
  find("#figures").replaceChildren(
    ...[
      ["measured", alarm.value],
      ["limit", alarm.limit],
    ]
      .filter(([, value]) => value !== null)
      .map(([word, value]) => element("p", {}, element("b", {}, `${figure(value, Number.isInteger(value) ? 0 : 1)} ${alarm.unit}`), word)),
  );
  facts("#rule", [
    ["Rule", alarm.definition],
    ["Source", alarm.source],
    ["Software", alarm.software],
    ["Detector", `SHA-256 ${alarm.bundle.slice(0, 16)}…`],
    ["Log", LOG[alarm.log_whole]],
  ]);
  say(find("#replay"), alarm.replay);
  showAnswer(alarm, answered);
  showHistory(alarm);
}

/** The age of the alarm, which goes on. */
function tick() {
  if (current) say(find("#age"), how(current));
}

function how(alarm) {
  if (alarm.state === "active") return `goes on ${alarmAge(alarm, serverNow())}`;
  if (alarm.state === "latched") return `${alarmAge(alarm, serverNow())}, and waits for an acknowledgement`;
  return "over";
}

function facts(place, list) {
  find(place).replaceChildren(...list.flatMap(([word, text]) => [element("dt", {}, word), element("dd", {}, text)]));
}

function showAnswer(alarm, answered) {
  const over = alarm.ended_time !== null;
  const until = alarm.acknowledged_until_time;
  const runsOut = until === null ? "" : ` It sounds again at ${clock(until)} if it goes on.`;
  const past = alarm.state === "active" ? "" : `It lasted ${alarmLasted(alarm)}, until ${moment(alarm.cleared_time ?? alarm.ended_time)}. `;
  const words = answered ? `Acknowledged by ${alarm.acknowledged_by}.${over ? "" : runsOut}` : over ? "" : QUIET[alarm.inactivation];
  say(find("#standing"), past + words);
  const mayAnswer = may(visitor, "acknowledge");
  find("#answer").hidden = !mayAnswer;
  find("#acknowledge").hidden = over || answered || !mayAnswer;
  find("#unacknowledge").hidden = over || !answered;
  find("#pause").hidden = over || answered || alarm.inactivation === "audio-paused";
}

function showHistory({ history, comments }) {
  const said = comments.map(({ time, who, comment }) => ({ time, change: "comment", who, why: comment, level: 0 }));
  find("#history").replaceChildren(
    ...[...history, ...said].toSorted((one, other) => one.time - other.time).map(({ time, change, who, why, level, stored }) =>
      element(
        "li",
        {},
        element("span", { class: "muted" }, clock(time)),
        element("span", {}, capital(change), who ? ` by ${who}` : "", level ? ` (level ${level})` : "", stored === false ? " – not stored yet" : ""),
        why ? element("blockquote", {}, why) : null,
      ),
    ),
  );
}

async function showEvidence(alarm, threshold) {
  const { strip, evidence } = alarm;
  if (!strip) {
    find("#strip-scroll").hidden = true;
    say(find("#strip-words"), "There is no signal of this stretch.");
    return;
  }
  const stop = strip.start_time + strip.samples[0].length / strip.rate_hz;
  const beats = await beatsOf(strip, stop);
  const times = evidence?.beat_time ?? [];
  const highlight = times.length ? [times[0] - 0.3, times.at(-1) + 0.5] : [alarm.since_time, Math.min(stop, alarm.onset_time)];
  showStrip(find("#strip"), strip, { beats, threshold, highlight });
  const scale = `${SPEED_MM_S} mm/s · ${GAIN_MM_MV} mm/mV · as received, without its offset`;
  say(find("#strip-words"), `${moment(strip.start_time)} to ${clock(stop)} · ${scale} · shaded: what the alarm rests on`);
  const leads = strip.leads.map((lead, at) => `${lead} spans ${figure(height(strip.samples[at]), 1)} mV`).join(", ");
  const waves = (strip.pulses ?? []).map(waveWords).join("");
  find("#strip").setAttribute("aria-label", `ECG from ${clock(strip.start_time)} to ${clock(stop)}: ${beats.length} beats; ${leads}${waves}.`);
  const cards = times.map((time, at) => {
    const picture = { ...evidence, samples: evidence.samples[at], reconstruction: evidence.reconstruction[at] };
    return card(picture, [`Beat at ${clock(time)}`], `Beat at ${clock(time)} and what was expected`);
  });
  find("#evidence").replaceChildren(...cards);
}

/** By their positions: of a recording that is played quickly, times are those of the clock and run into each other. */
async function beatsOf({ position, rate_hz: rateHz, samples, start_time: start }, stop) {
  const around = await get(patientPath(patient, `/beats?start=${start - AROUND_S}&stop=${stop + AROUND_S}`));
  return around
    .filter((beat) => beat.position >= position && beat.position < position + samples[0].length)
    .map((beat) => ({ ...beat, time: start + (beat.position - position) / rateHz }));
}

function waveWords({ name, unit, samples }) {
  const { low, high } = reach(samples);
  return unit === "mmHg" ? `; ${name} from ${figure(low, 0)} to ${figure(high, 0)} ${unit}` : `; ${name}`;
}

function height(samples) {
  const { up, down } = extent(samples, 1);
  return up + down;
}

async function load() {
  const [alarm, summary] = await Promise.all([get(path), get(patientPath(patient))]);
  show({ alarm, name: summary.name || patient });
  const strip = JSON.stringify([alarm.strip?.position, alarm.strip?.samples[0]?.length, alarm.evidence?.beat_time]);
  if (strip !== shown) await showEvidence(alarm, summary.baseline.threshold);
  shown = strip;
}

/** Give an order by the button `at`; what is written in the field goes with it. */
async function order(rest, words, at) {
  const field = find("#comment");
  const comment = field.value.trim();
  const given = await attempt(() => post(rest, { comment }), at);
  if (!given) return;
  if (field.value.trim() === comment) field.value = ""; // what was written meanwhile is the next comment
  await refresh(load);
  if (at.hidden) announce(outcome(words, given));
  else reply(at, outcome(words, given));
}

find("#answer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = find("#comment");
  if (field.value.trim()) order(`${path}/comments`, "The comment is kept.", field);
  else reply(field, "Write what was seen, or what was done.", true);
});
for (const [id, rest, words] of [
  ["#acknowledge", `${path}/acknowledge`, "Acknowledged."],
  ["#unacknowledge", `${path}/unacknowledge`, "The acknowledgement is taken back."],
  ["#pause", patientPath(patient, "/audio-pause"), "The sound is paused."],
]) {
  find(id).addEventListener("click", async ({ currentTarget: button }) => {
    await order(rest, words, button);
    const nowhere = [button, document.body].includes(document.activeElement);
    if (button.hidden && nowhere) find("#alarm").focus({ preventScroll: true });
  });
}
setInterval(tick, AGE_MS);
find("#copy").hidden = !navigator.clipboard; // there is none without TLS
find("#copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(find("#replay").textContent);
  announce("Copied.");
});
await refresh(load);
hear(patient, {
  alarm: ({ alarm }) => String(alarm.number) === number && refresh(load),
  connection: (how) => {
    connection(how);
    if (how === "open") refresh(load);
  },
});
