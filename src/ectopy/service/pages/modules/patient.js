// One patient: live leads on paper, scores, trend, the most abnormal beats, limits, and what is normal for them.

import { get, patientPath, post, put, remove, serverNow } from "./api.js";
import { Chart, range } from "./chart.js";
import { element, find, say } from "./dom.js";
import { beatCard, usualCard } from "./gallery.js";
import { fillLimits, inWordsOfTheForm, limitsForm } from "./limits.js";
import { watch } from "./live.js";
import { announce, attempt, confirmed, connection, exists, may, outcome, parameter, refresh, reply, sign, start } from "./shell.js";
import { sound } from "./sound.js";
import { BAND, Sweep } from "./sweep.js";
import {
  acknowledged,
  alarmAge,
  alarmLasted,
  beatKind,
  bpm,
  capital,
  clock,
  counted,
  duration,
  moment,
  score,
  SILENT_S,
  state,
  unwatched,
} from "./words.js";

const BEAT_HZ = 180; // as beats are judged
const SCORES_S = 600;
const SHOWN_S = 20;
const AGE_MS = 500;
const TREND_EVERY_MS = 30_000;
const SPANS = [
  ["3600", "1 h"],
  ["28800", "8 h"],
  ["86400", "24 h"],
];

const patient = parameter("patient");
const path = (rest) => patientPath(patient, rest);
const visitor = await start({ heard: true });
const sweep = new Sweep(find("#trace"), { paper: find("#paper"), beats: true, most: 12, pulses: true });
const scores = new Chart(find("#scores"));
const trend = new Chart(find("#trend"));
let beats = [];
let alarms = [];
let summary = null;
let about = null; // which limits and profiles there are
let threshold = null; // of beats that are compared with the patient's own normal
let called = null; // the alarm in the bar
let waiting = null;
let span = Number(SPANS[0][0]);

const now = () => summary?.last_sample_time ?? Date.now() / 1000;

// Who and how

function showSummary(given) {
  const before = summary;
  summary = given;
  const name = given.name || given.patient;
  document.title = `${name} – Ectopy`;
  say(find("#name"), name);
  say(find("#id"), given.name ? given.patient : "");
  if (given.received_time !== null) sweep.received(serverNow() - given.received_time);
  // To give a discharged patient another name would be to admit them again.
  find("#leaving").hidden = find("#naming").hidden = given.state === "discharged" || !may(visitor, "administer");
  const { unacknowledged: alarm } = given;
  showCall(alarm);
  tick();
  if (before && alarmKey(before) !== alarmKey(given)) refresh(loadAlarms);
  if (before && alarm?.inactivation === "enabled" && before.unacknowledged?.number !== alarm.number) {
    announce(`${alarm.priority} priority alarm: ${alarm.title}. ${alarm.advice}`, alarm.priority === "high");
  }
  sound(alarm?.inactivation === "enabled" ? alarm.priority : null);
}

/** What depends on the time: an old figure is not shown as if it were of now, and an alarm grows older. */
function tick() {
  if (!summary) return;
  const silent = sweep.silent_s > SILENT_S;
  const { text, colour } = state(summary, sweep.silent_s);
  say(find("#state"), text);
  find("#state").className = colour;
  say(find("#rate"), bpm(silent ? null : summary.heart_rate_bpm));
  const words = silent ? [] : Object.entries(summary.quality).map(([lead, word]) => `${lead} ${word}`);
  say(find("#quality"), words.length ? `Signal: ${words.join(", ")}` : "");
  const note = summary.state === "discharged" ? "" : unwatched(summary);
  say(find("#unwatched"), note === text ? "" : note);
  find("#unwatched").hidden = find("#unwatched").textContent === "";
  find("#live").classList.toggle("stale", silent);
  find("#silence").hidden = !silent;
  const since = summary.last_sample_time;
  say(find("#silence"), silent ? `${text}${since ? `: what is drawn ended at ${moment(since)}` : ""}` : "");
  say(find("#live-title"), silent ? "Not live" : "Live");
  const drawn = ["ECG", ...sweep.waves.map(({ name }) => name)].join(", ");
  find("#trace").setAttribute("aria-label", silent ? `The last ${drawn}, not live` : `Live ${drawn}`);
  if (called) say(find("#call small"), alarmAge(called, serverNow()));
}

/** The alarm that nobody has acknowledged stays in sight with its button, wherever the page is scrolled to. */
function showCall(alarm) {
  const bar = find("#call");
  const key = alarm && JSON.stringify([alarm.number, alarm.priority, alarm.title, alarm.advice]);
  if (bar.dataset.shown === (key ?? "")) {
    called = alarm;
    return;
  }
  bar.dataset.shown = key ?? "";
  called = alarm;
  bar.hidden = !alarm;
  if (!alarm) {
    bar.replaceChildren();
    return;
  }
  bar.className = `band call ${alarm.priority}`;
  bar.replaceChildren(
    sign(alarm.priority),
    element(
      "div",
      {},
      element("p", {}, element("strong", {}, element("a", { href: address(alarm) }, alarm.title)), " ", element("small", {})),
      element("p", { class: "advice" }, alarm.advice),
    ),
  );
  if (may(visitor, "acknowledge")) bar.append(element("button", { type: "button", class: "answer", click: acknowledge }, "Acknowledge"));
}

async function acknowledge() {
  const { number } = called;
  const given = await attempt(() => post(path(`/alarms/${number}/acknowledge`), { comment: "" }), find("#call"));
  if (!given) return;
  find("#patient").focus({ preventScroll: true }); // the button that had it is gone
  announce(outcome(`Acknowledged: ${given.title}. A comment can be made on the page of the alarm.`, given));
}

const alarmKey = ({ alarm, unacknowledged, alarms: count }) =>
  JSON.stringify([count, alarm?.number, alarm?.inactivation, alarm?.state, unacknowledged?.number, unacknowledged?.inactivation]);

// Alarms

async function loadAlarms() {
  // The active ones, the most urgent one first, come from memory: they are there while the database is away.
  const active = await get(path("/alarms?active=true"));
  find("#alarms").replaceChildren(...active.filter(({ number }) => number !== called?.number).map(band));
  alarms = (await get(path("/alarms"))).toReversed();
  const past = alarms.slice(0, 12).map((alarm) =>
    element(
      "li",
      {},
      element("span", { class: "muted" }, moment(alarm.onset_time)),
      element("span", {}, element("a", { href: address(alarm) }, alarm.title), ` – ${alarm.priority}, ${length(alarm)}`),
    ),
  );
  find("#past").replaceChildren(...(past.length ? past : [element("li", { class: "muted" }, "None.")]));
}

function length(alarm) {
  if (alarm.state === "active") return `goes on ${alarmAge(alarm, serverNow())}`;
  return `lasted ${alarmLasted(alarm)}${alarm.state === "latched" ? ", to be acknowledged" : ""}`;
}

const address = ({ number }) => `/alarm?patient=${encodeURIComponent(patient)}&number=${number}`;

function band(alarm) {
  const done = acknowledged(alarm);
  const advice = done ? `Acknowledged by ${alarm.acknowledged_by}.` : alarm.advice;
  return element(
    "li",
    { class: `band ${alarm.priority}${done ? " answered" : ""}` },
    sign(alarm.priority),
    element(
      "div",
      {},
      element("p", {}, element("strong", {}, alarm.title), " ", element("small", {}, alarmAge(alarm, serverNow()))),
      element("p", {}, alarm.text),
      element("p", {}, advice),
    ),
    element("a", { class: "answer", href: address(alarm), "aria-label": `${alarm.title}: the alarm` }, "See it"),
  );
}

// Live

function choices(place, name, unit, values, chosen, change) {
  const labels = values.map(([value, text]) => {
    const input = element("input", { type: "radio", name, value, "aria-label": `${text}${unit}` });
    input.checked = value === chosen;
    input.addEventListener("change", () => change(value));
    return element("label", {}, input, element("span", { "aria-hidden": true }, text));
  });
  find(place).replaceChildren(...labels);
}

function remembered(name, usual) {
  return localStorage.getItem(`ectopy-${name}`) ?? usual;
}

function rescale() {
  const scale = { speed: Number(remembered("speed", "25")), gain: Number(remembered("gain", "10")) };
  sweep.scale(scale);
  say(find("#scale"), `${scale.speed} mm/s · ${scale.gain} mm/mV · ${BAND} · the calibration is 1 mV and 0.2 s`);
}

function scaleChoices() {
  for (const [name, unit, values, usual] of [
    ["speed", " mm/s", ["12.5", "25", "50"], "25"],
    ["gain", " mm/mV", ["5", "10", "20"], "10"],
  ]) {
    choices(`#${name}`, name, unit, values.map((value) => [value, value]), remembered(name, usual), (value) => {
      localStorage.setItem(`ectopy-${name}`, value);
      rescale();
    });
    find(`#${name}`).append(element("span", { class: "of", "aria-hidden": true }, unit));
  }
  rescale();
}

// Scores and trend

function showScores() {
  const stop = now();
  beats = beats.filter(({ time }) => time > stop - SCORES_S);
  const judged = beats.filter(({ score: value }) => value !== null);
  const limit = beats.at(-1)?.threshold ?? null;
  const dots = judged.map((beat) => {
    const { colour } = beatKind(beat, threshold);
    return { time: beat.time, value: beat.score, colour, form: colour === "abnormal" ? "triangle" : "dot" };
  });
  dots.sort((one, other) => (one.form > other.form) - (one.form < other.form));
  const ends = limit === null ? [0, 4] : [0, 1.5 * limit];
  scores.show({ start: stop - SCORES_S, stop, ...range(dots.map(({ value }) => value), ...ends), dots, threshold: limit });
  const abnormal = beats.filter(({ verdict }) => verdict === "ABNORMAL").length;
  const words = `${counted(beats.length, "beat")}, ${abnormal} abnormal; dashed: the threshold, ${score(limit)}.`;
  say(find("#score-words"), beats.length ? capital(words) : "No beat has been judged yet.");
  find("#scores").setAttribute("aria-label", `Scores of the last ten minutes: ${words}`);
}

async function loadTrend() {
  const stop = now();
  const step_s = span / 240;
  const query = `?start=${stop - span}&stop=${stop}&step_s=${step_s}`;
  const [found] = await Promise.all([get(path(`/trend${query}`)), loadAlarms()]);
  const rates = found.heart_rate_bpm;
  const known = rates.filter((value) => value !== null);
  trend.show({
    start: stop - span,
    stop,
    ...range(known, 50, 110),
    lines: [{ times: found.time, values: rates, colour: "normal", gap_s: 3 * step_s }],
    marks: alarms.map(({ onset_time: time, priority }) => ({ time, priority })),
  });
  const marked = alarms.filter(({ onset_time: time }) => time > stop - span).length;
  const words = known.length
    ? `${bpm(Math.min(...known))} to ${bpm(Math.max(...known))} per minute; ${counted(marked, "alarm")} marked above.`
    : "No heart rate yet.";
  say(find("#trend-words"), words);
  find("#trend").setAttribute("aria-label", `Heart rate: ${words}`);
}

async function loadGallery() {
  const found = await get(path(`/gallery?start=${now() - 86400}&stop=${now()}&limit=12`));
  find("#gallery").replaceChildren(...found.map(beatCard));
  find("#no-gallery").hidden = found.length > 0;
}

// Limits and baseline

async function loadDetail() {
  const detail = await get(path(""));
  threshold = sweep.threshold = detail.baseline.threshold;
  showSummary(detail);
  if (document.activeElement !== find("#called")) find("#called").value = detail.name;
  about ??= await get("/api/about");
  const form = find("#limits");
  if (!form.hasChildNodes()) limitsForm(form, about, may(visitor, "administer"), saveLimits);
  fillLimits(form, detail);
  showBaseline(detail.baseline);
  say(find("#devices"), detail.devices.length ? `Sent by ${detail.devices.join(", ")}` : "");
  say(find("#clock"), detail.clock_drift === null ? "" : `Device clock: ${driftWords(detail.clock_drift)}`);
}

function driftWords(drift) {
  const side = drift > 0 ? "fast" : "slow";
  const hourly = Math.abs(drift) * 3600;
  if (hourly >= 1) return `${hourly.toFixed(0)} s per hour ${side}`;
  return hourly * 24 >= 1 ? `${(hourly * 24).toFixed(0)} s per day ${side}` : "less than 1 s per day off";
}

function showBaseline(baseline) {
  const { known, learning, doubtful, text } = baseline;
  const parts = [text];
  if (learning) parts.push(known ? "It is being learned from more beats." : "It is being learned; until ten beats can be read they are compared with those of other people.");
  if (doubtful) parts.push("Somebody should look at it before relying on what is called normal.");
  say(find("#baseline"), parts.filter(Boolean).join(" ") || "Nothing has been learned yet.");
  find("#usual").replaceChildren(...(known ? [usualCard(baseline, BEAT_HZ)] : []));
}

/** Set limits; `at` is the button or field that asked for it. */
async function saveLimits(limits, at) {
  const detail = await attempt(() => put(path("/limits"), limits), at, inWordsOfTheForm);
  if (!detail) return;
  fillLimits(find("#limits"), detail, true);
  reply(at, outcome("Limits set.", detail));
}

function relearning() {
  const button = find("#relearn");
  button.hidden = !may(visitor, "administer");
  button.addEventListener("click", async () => {
    const sure = await confirmed({
      title: "Learn this patient's normal again?",
      text: "The next minutes become what beats are compared with. Do this only while the rhythm is usual for the patient. Until it is learned, the present normal serves; a signal that begins anew meanwhile is compared with other people's.",
      yes: "Learn again",
      no: "Leave it",
    });
    if (!sure) return;
    const detail = await attempt(() => post(path("/relearn"), { comment: "" }), button);
    if (detail) showBaseline(detail.baseline);
  });
}

function discharging() {
  const button = find("#discharge");
  button.addEventListener("click", async () => {
    const sure = await confirmed({
      title: "Discharge this patient?",
      text: "All alarms of the patient end, and none is raised any more, until the patient is admitted again. Do this only when no patient is connected.",
      yes: "Discharge now",
      no: "Go on watching",
    });
    if (!sure) return;
    const left = await attempt(() => remove(path("")), button);
    if (!left) return;
    showSummary(left);
    find("#patient").focus(); // the button that had it is gone
    announce(outcome("The patient is discharged.", left));
  });
}

function naming() {
  find("#rename").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = find("#called");
    const named = await attempt(() => post("/api/patients", { patient, name: input.value.trim() }), input);
    if (!named) return;
    showSummary(named);
    reply(input, outcome("The name is changed.", named));
  });
}

/** What is stored of the last seconds, so that the paper is not empty. */
async function loadStrip() {
  if (summary.last_sample_time === null) return;
  const { samples, pulses = [], ...strip } = await get(path(`/waveform?start=${now() - SHOWN_S}&stop=${now() + SHOWN_S}`));
  const counts = samples[0].flatMap((_, at) => samples.map((lead) => lead[at]));
  const waves = pulses.map((wave) => ({ ...wave, values: Float32Array.from(wave.samples, (value) => value ?? NaN) }));
  sweep.push({ ...strip, counts, microvolt_per_count: 1000, missing: null, pulses: waves }, { stored: true });
}

async function loadBeats() {
  const stored = await get(path(`/beats?start=${now() - SCORES_S}&stop=${now() + SHOWN_S}`));
  const known = new Set(stored.map(({ time }) => time));
  beats = [...stored, ...beats.filter(({ time }) => !known.has(time))];
  for (const beat of beats) sweep.beat(beat);
  showScores();
}

/** With a connection that is open: what comes meanwhile waits, so that nothing is missing between then and now. */
async function load() {
  waiting = [];
  await loadDetail();
  try {
    await loadStrip();
  } finally {
    for (const frame of waiting) sweep.push(frame);
    waiting = null;
  }
  await loadBeats();
  await Promise.all([loadTrend(), loadGallery()]);
}

relearning();
discharging();
naming();
scaleChoices();
choices("#span", "span", "", SPANS, String(span), (value) => {
  span = Number(value);
  refresh(loadTrend);
});
setInterval(showScores, 1000);
setInterval(() => document.hidden || refresh(() => Promise.all([loadTrend(), loadGallery()])), TREND_EVERY_MS);
setInterval(tick, AGE_MS);

if (await exists(path(""))) {
  watch([patient], {
    samples: (frame) => (waiting ? waiting.push(frame) : sweep.push(frame)),
    beat: (beat) => {
      sweep.beat(beat);
      beats.push(beat);
    },
    summary: showSummary,
    connection: (how) => {
      connection(how);
      if (how === "open") refresh(load);
    },
  });
}
