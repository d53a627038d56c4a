// One patient: live leads on paper, scores, trend, the most abnormal beats, limits, and what is normal for them.

import { acknowledge, alarmAddress, get, patientPath, post, put, remove, serverNow } from "./api.js";
import { Chart, range } from "./chart.js";
import { element, onSubmit, query, setText } from "./dom.js";
import { beatCard, usualCard } from "./gallery.js";
import { fillLimits, inWordsOfTheForm, limitsForm } from "./limits.js";
import { watch } from "./live.js";
import {
  announce,
  announceAlarm,
  askToConfirm,
  attempt,
  may,
  outcome,
  parameter,
  prioritySign,
  refresh,
  reloadWhenOpen,
  reply,
  requireSubject,
  start,
} from "./page.js";
import { sound } from "./sound.js";
import { BAND, Sweep } from "./sweep.js";
import {
  alarmAge,
  alarmLasted,
  beatKind,
  bpm,
  capitalise,
  clock,
  comparisonText,
  continuation,
  countText,
  isAcknowledged,
  isPresent,
  moment,
  score,
  SILENT_S,
  state,
} from "./format.js";

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
const visitor = await start({ sounds: true });
await requireSubject(path(""));
const sweep = new Sweep(query("#trace"), { paper: query("#paper"), beats: true, most: 12, pulses: true });
const scores = new Chart(query("#scores"));
const trend = new Chart(query("#trend"));
let beats = [];
let alarms = [];
let summary = null;
let declarations = null; // which limits and profiles there are
let threshold = null; // of beats that are compared with the patient's own normal
let callingAlarm = null; // the alarm in the bar
let pendingFrames = null;
let wasSilent = true;
let span = Number(SPANS[0][0]);

const now = () => summary?.last_sample_time ?? Date.now() / 1000;

// Who and how

function showSummary(next) {
  const previous = summary;
  summary = next;
  const name = next.name || next.patient;
  document.title = `${name} – Ectopy`;
  setText(query("#name"), name);
  setText(query("#id"), next.name ? next.patient : "");
  if (next.received_time !== null) sweep.received(serverNow() - next.received_time);
  // To give a discharged patient another name would be to admit them again.
  query("#leaving").hidden = query("#naming").hidden = next.state === "discharged" || !may(visitor, "administer");
  const { unacknowledged: alarm } = next;
  showCall(alarm);
  tick();
  if (previous && alarmKey(previous) !== alarmKey(next)) refresh(loadAlarms);
  if (previous && alarm?.inactivation === "enabled" && previous.unacknowledged?.number !== alarm.number) {
    announceAlarm(alarm);
  }
  sound(alarm?.inactivation === "enabled" ? alarm.priority : null);
}

/** What depends on the time: an old figure is not shown as if it were of now, and an alarm grows older. */
function tick() {
  if (!summary) return;
  const silent = sweep.silent_s > SILENT_S;
  const { text, colour } = state(summary, sweep.silent_s);
  setText(query("#state"), text);
  query("#state").className = colour;
  setText(query("#rate"), bpm(silent ? null : summary.heart_rate_bpm));
  const words = silent ? [] : Object.entries(summary.quality).map(([lead, word]) => `${lead} ${word}`);
  setText(query("#quality"), words.length ? `Signal: ${words.join(", ")}` : "");
  const note = summary.state === "discharged" ? "" : comparisonText(summary);
  setText(query("#unwatched"), note === text ? "" : note);
  query("#unwatched").hidden = query("#unwatched").textContent === "";
  query("#live").classList.toggle("stale", silent);
  query("#silence").hidden = !silent;
  const since = summary.last_sample_time;
  setText(query("#silence"), silent ? `${text}${since ? `: what is drawn ended at ${moment(since)}` : ""}` : "");
  setText(query("#live-title"), silent ? "Not live" : "Live");
  const waveNames = ["ECG", ...sweep.waves.map(({ name }) => name)].join(", ");
  query("#trace").setAttribute("aria-label", silent ? `The last ${waveNames}, not live` : `Live ${waveNames}`);
  if (callingAlarm) setText(query("#call small"), alarmAge(callingAlarm, serverNow(), sweep.silent_s));
  if (silent !== wasSilent) refresh(loadAlarms);
  wasSilent = silent;
}

/** The alarm that nobody has acknowledged stays in sight with its button, wherever the page is scrolled to. */
function showCall(alarm) {
  const bar = query("#call");
  const key = alarm && JSON.stringify([alarm.number, alarm.priority, alarm.title, alarm.advice]);
  if (bar.dataset.shown === (key ?? "")) {
    callingAlarm = alarm;
    return;
  }
  bar.dataset.shown = key ?? "";
  callingAlarm = alarm;
  bar.hidden = !alarm;
  if (!alarm) {
    bar.replaceChildren();
    return;
  }
  bar.className = `band call ${alarm.priority}`;
  bar.replaceChildren(
    prioritySign(alarm.priority),
    element(
      "div",
      {},
      element("p", {}, element("strong", {}, element("a", { href: alarmAddress(alarm) }, alarm.title)), " ", element("small", {})),
      element("p", { class: "advice" }, alarm.advice),
    ),
  );
  if (may(visitor, "acknowledge")) bar.append(element("button", { type: "button", class: "answer", click: acknowledgeCall }, "Acknowledge"));
}

async function acknowledgeCall() {
  const answer = await attempt(() => acknowledge(callingAlarm), query("#call"));
  if (!answer) return;
  query("#patient").focus({ preventScroll: true }); // the button that had it is gone
  announce(outcome(`Acknowledged: ${answer.title}. A comment can be made on the page of the alarm.`, answer));
}

const alarmKey = ({ alarm, unacknowledged, alarms: count }) =>
  JSON.stringify([count, alarm?.number, alarm?.inactivation, alarm?.state, alarm?.cleared_time, unacknowledged?.number, unacknowledged?.inactivation]);

// Alarms

async function loadAlarms() {
  // The active ones, the most urgent one first, come from memory: they are there while the database is away.
  const active = await get(path("/alarms?active=true"));
  query("#alarms").replaceChildren(...active.filter(({ number }) => number !== callingAlarm?.number).map(band));
  const byNumber = new Map(active.map((alarm) => [alarm.number, alarm]));
  alarms = (await get(path("/alarms"))).map((alarm) => byNumber.get(alarm.number) ?? alarm).toReversed();
  const past = alarms.slice(0, 12).map((alarm) =>
    element(
      "li",
      {},
      element("span", { class: "muted" }, moment(alarm.onset_time)),
      element("span", {}, element("a", { href: alarmAddress(alarm) }, alarm.title), ` – ${alarm.priority}, ${length(alarm)}`),
    ),
  );
  query("#past").replaceChildren(...(past.length ? past : [element("li", { class: "muted" }, "None.")]));
}

function length(alarm) {
  if (isPresent(alarm)) return continuation(alarm, serverNow(), sweep.silent_s);
  return `lasted ${alarmLasted(alarm)}${alarm.state === "latched" ? ", to be acknowledged" : ""}`;
}

function band(alarm) {
  const isAnswered = isAcknowledged(alarm);
  const advice = isAnswered ? `Acknowledged by ${alarm.acknowledged_by}.` : alarm.advice;
  return element(
    "li",
    { class: `band ${alarm.priority}${isAnswered ? " answered" : ""}` },
    prioritySign(alarm.priority),
    element(
      "div",
      {},
      element("p", {}, element("strong", {}, alarm.title), " ", element("small", {}, alarmAge(alarm, serverNow(), sweep.silent_s))),
      element("p", {}, alarm.text),
      element("p", {}, advice),
    ),
    element("a", { class: "answer", href: alarmAddress(alarm), "aria-label": `${alarm.title}: the alarm` }, "See it"),
  );
}

// Live

function choices(place, name, unit, values, selected, change) {
  const labels = values.map(([value, text]) => {
    const input = element("input", { type: "radio", name, value, "aria-label": `${text}${unit}` });
    input.checked = value === selected;
    input.addEventListener("change", () => change(value));
    return element("label", {}, input, element("span", { "aria-hidden": true }, text));
  });
  query(place).replaceChildren(...labels);
}

function setting(name, usual) {
  return localStorage.getItem(`ectopy-${name}`) ?? usual;
}

function rescale() {
  const scale = { speed: Number(setting("speed", "25")), gain: Number(setting("gain", "10")) };
  sweep.scale(scale);
  setText(query("#scale"), `${scale.speed} mm/s · ${scale.gain} mm/mV · ${BAND} · the calibration is 1 mV and 0.2 s · ▲ ▼ it goes on beyond the edge`);
}

function scaleChoices() {
  for (const [name, unit, values, usual] of [
    ["speed", " mm/s", ["12.5", "25", "50"], "25"],
    ["gain", " mm/mV", ["5", "10", "20"], "10"],
  ]) {
    choices(`#${name}`, name, unit, values.map((value) => [value, value]), setting(name, usual), (value) => {
      localStorage.setItem(`ectopy-${name}`, value);
      rescale();
    });
    query(`#${name}`).append(element("span", { class: "of", "aria-hidden": true }, unit));
  }
  rescale();
}

// Scores and trend

function showScores() {
  const stop = now();
  beats = beats.filter(({ time }) => time > stop - SCORES_S);
  const scoredBeats = beats.filter(({ score: value }) => value !== null);
  const limit = beats.at(-1)?.threshold ?? null;
  const dots = scoredBeats.map((beat) => {
    const { colour } = beatKind(beat, threshold);
    return { time: beat.time, value: beat.score, colour, form: colour === "abnormal" ? "triangle" : "dot" };
  });
  dots.sort((first, second) => (first.form > second.form) - (first.form < second.form));
  const ends = limit === null ? [0, 4] : [0, 1.5 * limit];
  scores.show({ start: stop - SCORES_S, stop, ...range(dots.map(({ value }) => value), ...ends), dots, threshold: limit });
  const abnormal = beats.filter(({ verdict }) => verdict === "ABNORMAL").length;
  const words = `${countText(beats.length, "beat")}, ${abnormal} abnormal; dashed: the threshold, ${score(limit)}.`;
  setText(query("#score-words"), beats.length ? capitalise(words) : "No beat has been judged yet.");
  query("#scores").setAttribute("aria-label", `Scores of the last ten minutes: ${words}`);
}

async function loadTrend() {
  const stop = now();
  const step_s = span / 240;
  const search = `?start=${stop - span}&stop=${stop}&step_s=${step_s}`;
  const [counts] = await Promise.all([get(path(`/trend${search}`)), loadAlarms()]);
  const rates = counts.heart_rate_bpm;
  const measured = rates.filter((value) => value !== null);
  trend.show({
    start: stop - span,
    stop,
    ...range(measured, 50, 110),
    lines: [{ times: counts.time, values: rates, colour: "normal", gap_s: 3 * step_s }],
    marks: alarms.map(({ onset_time: time, priority }) => ({ time, priority })),
  });
  const alarmCount = alarms.filter(({ onset_time: time }) => time > stop - span).length;
  const words = measured.length
    ? `${bpm(Math.min(...measured))} to ${bpm(Math.max(...measured))} per minute; ${countText(alarmCount, "alarm")} marked above.`
    : "No heart rate yet.";
  setText(query("#trend-words"), words);
  query("#trend").setAttribute("aria-label", `Heart rate: ${words}`);
}

async function loadGallery() {
  const comparisons = await get(path(`/gallery?start=${now() - 86400}&stop=${now()}&limit=12`));
  query("#gallery").replaceChildren(...comparisons.map(beatCard));
  query("#no-gallery").hidden = comparisons.length > 0;
}

// Limits and baseline

async function loadDetail() {
  const detail = await get(path(""));
  threshold = sweep.threshold = detail.baseline.threshold;
  showSummary(detail);
  if (document.activeElement !== query("#called")) query("#called").value = detail.name;
  declarations ??= await get("/api/about");
  const form = query("#limits");
  if (!form.hasChildNodes()) limitsForm(form, declarations, may(visitor, "administer"), saveLimits);
  fillLimits(form, detail);
  showBaseline(detail.baseline);
  setText(query("#devices"), detail.devices.length ? `Sent by ${detail.devices.join(", ")}` : "");
  setText(query("#clock"), detail.clock_drift === null ? "" : `Device clock: ${driftWords(detail.clock_drift)}`);
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
  setText(query("#baseline"), parts.filter(Boolean).join(" ") || "Nothing has been learned yet.");
  query("#usual").replaceChildren(...(known ? [usualCard(baseline, BEAT_HZ)] : []));
}

/** Set limits; `at` is the button or field that asked for it. */
async function saveLimits(limits, at) {
  const detail = await attempt(() => put(path("/limits"), limits), at, inWordsOfTheForm);
  if (!detail) return;
  fillLimits(query("#limits"), detail, true);
  reply(at, outcome("Limits set.", detail));
}

function setUpRelearning() {
  const button = query("#relearn");
  button.hidden = !may(visitor, "administer");
  button.addEventListener("click", async () => {
    const sure = await askToConfirm({
      title: "Learn this patient's normal again?",
      text: "The next minutes become what beats are compared with. Do this only while the rhythm is usual for the patient. Until it is learned, the present normal serves; a signal that starts again meanwhile is compared with other people's.",
      yes: "Learn again",
      no: "Leave it",
    });
    if (!sure) return;
    const detail = await attempt(() => post(path("/relearn"), { comment: "" }), button);
    if (detail) showBaseline(detail.baseline);
  });
}

function setUpDischarge() {
  const button = query("#discharge");
  button.addEventListener("click", async () => {
    const sure = await askToConfirm({
      title: "Discharge this patient?",
      text: "All alarms of the patient end, and none is raised any more, until the patient is admitted again. Do this only when no patient is connected.",
      yes: "Discharge now",
      no: "Go on watching",
    });
    if (!sure) return;
    const answer = await attempt(() => remove(path("")), button);
    if (!answer) return;
    showSummary(answer);
    query("#patient").focus(); // the button that had it is gone
    announce(outcome("The patient is discharged.", answer));
  });
}

function setUpName() {
  onSubmit("#rename", async () => {
    const input = query("#called");
    const answer = await attempt(() => post("/api/patients", { patient, name: input.value.trim() }), input);
    if (!answer) return;
    showSummary(answer);
    reply(input, outcome("The name is changed.", answer));
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
  const storedTimes = new Set(stored.map(({ time }) => time));
  beats = [...stored, ...beats.filter(({ time }) => !storedTimes.has(time))];
  for (const beat of beats) sweep.beat(beat);
  showScores();
}

/** With a connection that is open: what comes meanwhile waits, so that nothing is missing between then and now. */
async function load() {
  pendingFrames = [];
  await loadDetail();
  try {
    await loadStrip();
  } finally {
    for (const frame of pendingFrames) sweep.push(frame);
    pendingFrames = null;
  }
  await loadBeats();
  await Promise.all([loadTrend(), loadGallery()]);
}

setUpRelearning();
setUpDischarge();
setUpName();
scaleChoices();
choices("#span", "span", "", SPANS, String(span), (value) => {
  span = Number(value);
  refresh(loadTrend);
});
setInterval(showScores, 1000);
setInterval(() => document.hidden || refresh(() => Promise.all([loadTrend(), loadGallery()])), TREND_EVERY_MS);
setInterval(tick, AGE_MS);

watch([patient], {
  samples: (frame) => (pendingFrames ? pendingFrames.push(frame) : sweep.push(frame)),
  beat: (beat) => {
    sweep.beat(beat);
    beats.push(beat);
  },
  summary: showSummary,
  connection: reloadWhenOpen(load),
});
