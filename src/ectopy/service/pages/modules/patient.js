// One patient: live leads on paper, scores, trend, the most abnormal beats, limits, and what is normal for them.

import { get, patientPath, post, put, remove } from "./api.js";
import { Chart, range } from "./chart.js";
import { element, find, say } from "./dom.js";
import { beatCard, usualCard } from "./gallery.js";
import { fillLimits, limitsForm } from "./limits.js";
import { watch } from "./live.js";
import { announce, attempt, connection, exists, may, parameter, refresh, sign, start } from "./shell.js";
import { sound } from "./sound.js";
import { BAND, Sweep } from "./sweep.js";
import { beatKind, bpm, capital, clock, counted, duration, moment, PRIORITIES, score, state } from "./words.js";

const BEAT_HZ = 180; // as beats are judged
const SCORES_S = 600;
const SHOWN_S = 20;
const TREND_EVERY_MS = 30_000;
const SPANS = [
  ["3600", "1 h"],
  ["28800", "8 h"],
  ["86400", "24 h"],
];

const patient = parameter("patient");
const path = (rest) => patientPath(patient, rest);
const visitor = await start({ heard: true });
const sweep = new Sweep(find("#trace"), { paper: find("#paper"), beats: true, most: 12 });
const scores = new Chart(find("#scores"));
const trend = new Chart(find("#trend"));
let beats = [];
let alarms = [];
let summary = null;
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
  const { text, colour } = state(given.state);
  say(find("#state"), text);
  find("#state").className = colour;
  find("#leaving").hidden = given.state === "discharged" || !may(visitor, "administer");
  say(find("#rate"), bpm(given.heart_rate_bpm));
  const words = Object.entries(given.quality).map(([lead, word]) => `${lead} ${word}`);
  say(find("#quality"), words.length ? `Signal: ${words.join(", ")}` : "");
  const { calling: alarm } = given;
  if (before && alarmKey(before) !== alarmKey(given)) refresh(loadAlarms);
  if (before && alarm?.inactivation === "enabled" && before.calling?.number !== alarm.number) {
    announce(`${alarm.priority} priority alarm: ${alarm.title}. ${alarm.advice}`, alarm.priority === "high");
  }
  sound(alarm?.inactivation === "enabled" ? alarm.priority : null);
}

const alarmKey = ({ alarm, calling, alarms: count }) =>
  JSON.stringify([count, alarm?.number, alarm?.inactivation, alarm?.state, calling?.number, calling?.inactivation]);

// Alarms

async function loadAlarms() {
  alarms = (await get(path("/alarms"))).toReversed();
  const active = alarms.filter(({ state: word }) => word === "active" || word === "latched");
  active.sort((one, other) => PRIORITIES.indexOf(other.priority) - PRIORITIES.indexOf(one.priority));
  find("#alarms").replaceChildren(...active.map(band));
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

function length({ onset_time: from, ended_time: until }) {
  return until === null ? "goes on" : `lasted ${duration(until - from)}`;
}

const address = ({ number }) => `/alarm?patient=${encodeURIComponent(patient)}&number=${number}`;

function band(alarm) {
  const answered = alarm.inactivation === "alert-acknowledged";
  return element(
    "li",
    { class: `band ${alarm.priority}${answered ? " answered" : ""}` },
    sign(alarm.priority),
    element("div", {}, element("strong", {}, alarm.title), element("p", {}, alarm.text), element("p", {}, alarm.advice)),
    element("a", { class: "answer", href: address(alarm) }, answered ? "Answered" : "Answer"),
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
  say(find("#scale"), `${scale.speed} mm/s · ${scale.gain} mm/mV · ${BAND} · the pulse is 1 mV and 0.2 s`);
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

sweep.onstale = (stale) => {
  find("#live").classList.toggle("stale", stale);
  find("#silence").hidden = !stale;
};

// Scores and trend

function showScores() {
  const stop = now();
  beats = beats.filter(({ time }) => time > stop - SCORES_S);
  const judged = beats.filter(({ score: value }) => value !== null);
  const threshold = beats.at(-1)?.threshold ?? null;
  const dots = judged.map((beat) => {
    const { colour, letter } = beatKind(beat);
    return { time: beat.time, value: beat.score, colour, form: letter === "N" ? "dot" : "triangle" };
  });
  dots.sort((one, other) => (one.form > other.form) - (one.form < other.form));
  const ends = threshold === null ? [0, 4] : [0, 1.5 * threshold];
  scores.show({ start: stop - SCORES_S, stop, ...range(dots.map(({ value }) => value), ...ends), dots, threshold });
  const abnormal = beats.filter(({ verdict }) => verdict === "ABNORMAL").length;
  const words = `${counted(beats.length, "beat")}, ${abnormal} abnormal; dashed: the threshold, ${score(threshold)}.`;
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
  showSummary(detail);
  fillLimits(find("#limits"), detail);
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
  if (learning) parts.push(known ? "It is being learned anew." : "It is being learned.");
  if (doubtful) parts.push("Somebody should look at it before relying on what is called normal.");
  say(find("#baseline"), parts.filter(Boolean).join(" ") || "Nothing has been learned yet.");
  find("#usual").replaceChildren(...(known ? [usualCard(baseline, BEAT_HZ)] : []));
}

async function saveLimits(limits) {
  const detail = await attempt(() => put(path("/limits"), limits));
  if (!detail) return;
  fillLimits(find("#limits"), detail, true);
  announce("The limits are set.");
}

function relearning() {
  const dialog = find("#sure");
  find("#relearn").hidden = !may(visitor, "administer");
  find("#relearn").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "learn") return;
    const detail = await attempt(() => post(path("/relearn"), { comment: "" }));
    if (detail) showBaseline(detail.baseline);
    dialog.returnValue = "";
  });
}

function discharging() {
  const dialog = find("#leave");
  find("#discharge").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "discharge") return;
    dialog.returnValue = "";
    const left = await attempt(() => remove(path("")));
    if (!left) return;
    showSummary(left);
    find("#patient").focus(); // the button that had it is gone
    announce("The patient is discharged.");
  });
}

/** What is stored of the last seconds, so that the paper is not empty. */
async function loadStrip() {
  if (summary.last_sample_time === null) return;
  const { samples, ...strip } = await get(path(`/waveform?start=${now() - SHOWN_S}&stop=${now() + SHOWN_S}`));
  const counts = samples[0].flatMap((_, at) => samples.map((lead) => lead[at]));
  sweep.push({ ...strip, counts, microvolt_per_count: 1000, missing: null });
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

limitsForm(find("#limits"), may(visitor, "administer"), saveLimits);
relearning();
discharging();
scaleChoices();
choices("#span", "span", "", SPANS, String(span), (value) => {
  span = Number(value);
  attempt(loadTrend);
});
setInterval(showScores, 1000);
setInterval(() => document.hidden || refresh(() => Promise.all([loadTrend(), loadGallery()])), TREND_EVERY_MS);
setInterval(() => {
  const since = summary?.last_sample_time;
  say(find("#silence"), since ? `No data since ${clock(since)}` : "No data yet");
}, 1000);

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
