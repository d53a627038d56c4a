// One person at training: heart rate, zone, effort, extra beats, and advice in plain words.

import { get, patientPath, serverNow } from "./api.js";
import { element, query, setText } from "./dom.js";
import { watch } from "./live.js";
import { parameter, refresh, reloadWhenOpen, requireSubject, start } from "./page.js";
import { Sweep } from "./sweep.js";
import { bpm, duration, NOTHING, SILENT_S, whole } from "./format.js";

// From which share of the heart rate reserve; after the position stand of the ACSM, doi:10.1249/MSS.0b013e318213fefb.
const ZONES = [
  [0, "Rest", "At rest, or nearly. A warm-up begins slowly."],
  [0.3, "Light", "Light effort: you can sing. Good for warming up and recovering."],
  [0.4, "Moderate", "Moderate effort: you can talk in whole sentences. Most training happens here."],
  [0.6, "Vigorous", "Vigorous effort: a few words at a time. Ease off when it no longer feels right."],
  [0.9, "Near maximum", "Near your maximum: only for a short time, and only when you are used to it."],
];
const MANY_EXTRA = 7; // a minute
const HOUR_S = 3600;
const MINUTE_S = 60;
const AGE_MS = 500;
// What the alarm itself advises is for who looks after a patient.
const ALARMED = { high: "Stop now, sit down, and get help.", medium: "Ease off; stop if it goes on.", low: "Ease off if it does not feel right." };
const UNWELL = "If you feel dizzy, have pain in the chest or are short of breath, stop and get help.";

const patient = parameter("patient");
await start();
let limits = null;
let reserve = null;
let extra = [];
let summary = null;
let sweep = null;

async function choose() {
  const people = await get("/api/patients");
  const select = query("#person");
  select.name = "patient";
  select.append(...people.map(({ patient: id, name }) => element("option", { value: id }, name || id)));
  query("#who").hidden = false;
}

async function load() {
  const detail = await get(patientPath(patient));
  ({ limits } = detail);
  reserve = detail.effort;
  const stop = detail.last_sample_time ?? Date.now() / 1000;
  const beats = await get(patientPath(patient, `/beats?start=${stop - HOUR_S}&stop=${stop + MINUTE_S}`));
  extra = beats.filter(ectopic).map(({ time }) => time);
  const { resting_bpm: rest, maximum_bpm: most } = reserve;
  const assumption = limits.age === null || limits.resting_bpm === null ? " Age or resting rate are not known; set them among the limits." : "";
  setText(query("#basis"), `Effort is the share of the way from ${bpm(rest)} at rest to ${bpm(most)} at most, from the age.${assumption} This is not medical advice.`);
  show(detail);
}

const ectopic = ({ hint }) => hint === "ventricular-like" || hint === "supraventricular-like";

function show(next) {
  summary = next;
  const name = next.name || next.patient;
  setText(query("#name"), name);
  document.title = `${name} trains – Ectopy`;
  if (next.received_time !== null) sweep.received(serverNow() - next.received_time);
  tick();
}

/** What depends on the time: a rate, an effort or a count that is old is not shown as if it were of now. */
function tick() {
  if (!summary) return;
  const { heart_rate_bpm: measured, last_sample_time: last } = summary;
  const silent = sweep.silent_s > SILENT_S;
  const rate = silent ? null : measured;
  const effort = rate === null ? null : share(rate);
  query("#session .strip").classList.toggle("stale", silent);
  setText(query("#rate"), bpm(rate));
  setText(query("#effort"), effort === null ? NOTHING : `${Math.round(100 * Math.max(effort, 0))} %`);
  const zone = effort === null ? -1 : ZONES.findLastIndex(([from]) => effort >= from || from === 0);
  setText(query("#zone"), zone < 0 ? "No heart rate" : ZONES[zone][1]);
  for (const [at, item] of [...query("#zones").children].entries()) {
    item.classList.toggle("here", at === zone);
    if (at === zone) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  const now = last ?? 0;
  extra = extra.filter((time) => time > now - HOUR_S);
  const recent = extra.filter((time) => time > now - MINUTE_S).length;
  setText(query("#extra"), whole(extra.length));
  setText(query("#recent"), silent ? NOTHING : whole(recent));
  setText(query("#advice"), advice(summary, zone, silent ? 0 : recent, silent));
  setText(query("#since"), silent && Number.isFinite(sweep.silent_s) ? `No signal for ${duration(sweep.silent_s)}.` : "");
}

function share(rate) {
  return (rate - reserve.resting_bpm) / (reserve.maximum_bpm - reserve.resting_bpm);
}

function advice({ alarm, state }, zone, recent, silent) {
  if (alarm && alarm.type === "SP") return `${alarm.title}. ${ALARMED[alarm.priority]} ${UNWELL}`;
  if (state === "discharged") return "The patient was discharged and is not watched.";
  if (silent || state === "no data") return "Nothing comes from the device: check that it is on, charged, and in reach.";
  if (state === "unreadable") return "The signal cannot be read: check the strap, and moisten its electrodes.";
  if (recent >= MANY_EXTRA) return `Many extra beats in the last minute. Ease off. ${UNWELL}`;
  return zone < 0 ? "Waiting for the heart rate." : ZONES[zone][2];
}

query("#zones").append(...ZONES.map(([, name]) => element("li", {}, name)));
if (!patient) {
  await refresh(choose);
} else {
  await requireSubject(patientPath(patient));
  query("#session").hidden = false;
  sweep = new Sweep(query("#trace"), { most: 1 });
  await refresh(load);
  setInterval(() => reserve && tick(), AGE_MS);
  watch([patient], {
    samples: (frame) => sweep.push(frame),
    beat: (beat) => ectopic(beat) && extra.push(beat.time),
    summary: (next) => reserve && show(next),
    connection: reloadWhenOpen(async () => summary || load()),
  });
}
