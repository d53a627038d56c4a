// The ward: one tile per patient, the most urgent first; alarms show, sound, and say what to do.

import { acknowledge, alarmAddress, get, post, serverNow } from "./api.js";
import { element, onSubmit, query, reorder, setText } from "./dom.js";
import { watch } from "./live.js";
import { MM } from "./paper.js";
import { announce, announceAlarm, attempt, may, outcome, prioritySign, refresh, reloadWhenOpen, reply, start } from "./page.js";
import { isInaudible, onSound, sound } from "./sound.js";
import { Sweep } from "./sweep.js";
import { alarmAge, bpm, clock, comparisonText, countText, isAcknowledged, NO_DATA, PRIORITIES, SILENT_S, state } from "./format.js";

const STATION = "station";
const OWN_MS = 10_000;
const AGE_MS = 500;
const MANY_SILENT = 3; // so many patients without data are one fault, such as a gateway's

const visitor = await start({ sounds: true });
const tiles = new Map();
let serviceAlarms = [];
let isLoaded = false;

class Tile {
  constructor(summary) {
    this.link = element("a", { href: `/patient?patient=${encodeURIComponent(summary.patient)}` });
    this.id = element("span", { class: "id" });
    this.lead = element("span", { class: "lead" });
    this.more = element("span", { class: "more" });
    this.rate = element("b", {});
    this.note = element("p", { class: "note" });
    this.news = element("div", { class: "news" });
    this.age = null;
    const canvas = element("canvas", { "aria-hidden": true });
    this.node = element(
      "li",
      { class: "tile" },
      element("header", {}, element("h2", {}, this.link), this.id, this.lead, this.more),
      element("div", { class: "strip" }, canvas),
      element("p", { class: "rate" }, this.rate, element("span", {}, "per minute")),
      this.note,
      this.news,
    );
    this.sweep = new Sweep(canvas, { most: 1, mm: enlarged() });
    this.shownKey = null;
  }

  samples(frame) {
    this.sweep.push(frame);
  }

  update(summary) {
    this.summary = summary;
    if (summary.received_time !== null) this.sweep.received(serverNow() - summary.received_time);
    const { alarm, unacknowledged } = summary;
    setText(this.link, summary.name || summary.patient);
    setText(this.id, summary.name ? summary.patient : "");
    query("h2", this.node).classList.toggle("id-alone", !summary.name);
    const shownKey = JSON.stringify(
      [unacknowledged ?? alarm, alarm].map((item) => item && [item.number, item.title, item.priority, item.cleared_time, isAcknowledged(item), summary.alarms]),
    );
    if (shownKey !== this.shownKey) this.#showAlarm(summary);
    this.shownKey = shownKey;
    this.tick();
  }

  /** What depends on the time: an old figure is not shown, and an alarm grows older. */
  tick() {
    const { summary, sweep } = this;
    const silent = sweep.silent_s > SILENT_S;
    const { text, colour } = state(summary, sweep.silent_s);
    const alarm = this.band;
    setText(this.rate, bpm(silent ? null : summary.heart_rate_bpm));
    setText(this.lead, sweep.shownLeads?.[0] ?? "");
    const priority = alarm?.priority ?? "";
    this.node.className = ["tile", priority, alarm && isAcknowledged(alarm) && "answered", silent && "stale"].filter(Boolean).join(" ");
    if (alarm) {
      setText(this.age, alarmAge(alarm, serverNow(), sweep.silent_s));
      setText(this.note, silent ? text : comparisonText(summary));
    } else {
      setText(this.note, summary.state === "learning" ? "" : comparisonText(summary));
      setText(this.state, text);
      this.state.className = `state ${colour}`;
    }
    this.note.hidden = !this.note.textContent;
  }

  /** The alarm that calls, or else the most urgent one; one that is acknowledged is named above all the same. */
  #showAlarm({ patient, name, alarm, unacknowledged, alarms }) {
    this.band = unacknowledged ?? alarm;
    this.more.replaceChildren();
    if (!this.band) {
      this.state = element("p", { class: "state" });
      this.news.replaceChildren(this.state);
      return;
    }
    const focused = this.news.contains(document.activeElement);
    this.age = element("small", {});
    this.news.replaceChildren(band(this.band, name || patient, this.age));
    if (focused) query("a, button", this.news).focus();
    if (unacknowledged && unacknowledged.number !== alarm.number) {
      const label = `Acknowledged: ${alarm.title}, ${name || patient}`;
      this.more.append(element("a", { href: alarmAddress(alarm), "aria-label": label }, `✓ ${alarm.title}`));
    } else if (alarms > 1) {
      this.more.append(countText(alarms, "alarm"));
    }
  }
}

function band(alarm, name, age) {
  const { priority, title } = alarm;
  const isAnswered = isAcknowledged(alarm);
  const node = element(
    "div",
    { class: `band ${priority}${isAnswered ? " answered" : ""}` },
    prioritySign(priority),
    element(
      "div",
      { class: "words" },
      element(
        "p",
        { class: "line" },
        element("span", { class: "visually-hidden" }, `${priority} priority: `),
        element("a", { class: "what", href: alarmAddress(alarm), title, "aria-label": `${title}, ${name}` }, title),
        age,
      ),
      element("p", { class: "advice" }, isAnswered ? `Acknowledged by ${alarm.acknowledged_by}` : alarm.advice),
    ),
    isAnswered ? element("span", { class: "done" }, "Acknowledged") : null,
  );
  if (!isAnswered && may(visitor, "acknowledge")) node.append(acknowledgeButton(alarm, name));
  return node;
}

function acknowledgeButton(alarm, name) {
  const button = element("button", { type: "button", class: "answer" }, "Acknowledge");
  button.setAttribute("aria-label", `Acknowledge: ${alarm.title}, ${name}`);
  button.addEventListener("click", async () => {
    const answer = await attempt(() => acknowledge(alarm), button.closest(".band"));
    if (answer) announce(outcome(`Acknowledged: ${alarm.title}, ${name}.`, answer));
  });
  return button;
}

/** A millimetre of the paper; larger on a wall screen, as the letters are. */
const enlarged = () => (MM * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;

const audible = (alarm) => alarm && alarm.inactivation === "enabled";

/** Larger = more urgent. */
function urgency({ alarm, unacknowledged, state: stateName }) {
  const weight = ({ priority }) => 10 * (PRIORITIES.indexOf(priority) + 1);
  if (alarm) return weight(alarm) + (unacknowledged ? weight(unacknowledged) / 10 : 0);
  return ["normal", "learning", "abnormal", "unreadable", NO_DATA].indexOf(stateName);
}

function show(summary) {
  if (summary.state === "discharged") {
    drop(summary.patient);
    return;
  }
  let tile = tiles.get(summary.patient);
  if (!tile) {
    tile = new Tile(summary);
    tiles.set(summary.patient, tile);
  }
  const previous = tile.summary?.unacknowledged;
  tile.update(summary);
  const alarm = summary.unacknowledged;
  if (isLoaded && audible(alarm) && (previous?.number !== alarm.number || previous.priority !== alarm.priority)) {
    announceAlarm(alarm, summary.name || summary.patient);
  }
}

function drop(patient) {
  tiles.get(patient)?.sweep.stop();
  tiles.delete(patient);
}

/** Alarms of the service itself: nobody can be reached, nothing can be stored. */
async function ownAlarms() {
  serviceAlarms = (await get("/api/alarms")).filter(({ patient }) => patient === STATION);
  query("#own").replaceChildren(
    ...serviceAlarms.map((alarm) => element("li", {}, band({ ...alarm, advice: alarm.text }, "the service", element("small", {}, alarmAge(alarm, serverNow()))))),
  );
  arrangeTiles();
}

/** Many patients without data at once are shown together, and acknowledged together. */
function showSilent(summaries) {
  const silent = summaries.map(({ unacknowledged }) => unacknowledged).filter((alarm) => alarm?.condition === NO_DATA);
  const place = query("#silent");
  place.hidden = silent.length < MANY_SILENT;
  if (place.hidden) return;
  const since = Math.min(...silent.map(({ since_time: time }) => time));
  setText(query("#silent-words"), `${countText(silent.length, "device")} silent since ${clock(since, false)}: check what they have in common, such as a gateway or a network.`);
  query("#silent-all").hidden = !may(visitor, "acknowledge");
  place.alarms = silent;
}

async function acknowledgeSilent() {
  const place = query("#silent");
  const { alarms } = place;
  const answer = await attempt(() => Promise.all(alarms.map(acknowledge)), place);
  if (answer) announce(outcome(`${countText(answer.length, "alarm")} acknowledged.`, answer));
}

function arrangeTiles() {
  const summaries = [...tiles.values()].map((tile) => tile.summary);
  const ordered = summaries.toSorted(
    (first, second) => urgency(second) - urgency(first) || (first.name || first.patient).localeCompare(second.name || second.patient, "en", { numeric: true }),
  );
  reorder(query("#tiles"), ordered.map(({ patient }) => tiles.get(patient).node));
  const alarms = [...serviceAlarms, ...summaries.map(({ unacknowledged }) => unacknowledged).filter(Boolean)];
  const waiting = alarms.filter((alarm) => !isAcknowledged(alarm));
  const high = waiting.filter(({ priority }) => priority === "high").length;
  const callText = waiting.length ? `, ${countText(waiting.length, "alarm")} to acknowledge${high ? ` (${high} high)` : ""}` : "";
  setText(query("#count"), countText(summaries.length, "patient") + callText);
  document.title = `${waiting.length ? `(${waiting.length}) ` : ""}Ward – Ectopy`;
  query("#nobody").hidden = summaries.length > 0;
  showSilent(summaries);
  const audiblePriorities = alarms.filter(audible).map(({ priority }) => PRIORITIES.indexOf(priority));
  sound(PRIORITIES[Math.max(-1, ...audiblePriorities)] ?? null);
  query("#ask").hidden = !isInaudible();
}

async function load() {
  const previous = [...tiles.keys()];
  const summaries = await get("/api/patients");
  const watchedPatients = new Set(summaries.map(({ patient }) => patient));
  for (const patient of previous) if (!watchedPatients.has(patient)) drop(patient);
  for (const summary of summaries) show(summary);
  await ownAlarms();
  isLoaded = true;
}

// Admission

function setUpAdmission() {
  const [dialog, form] = [query("#admission"), query("#admit")];
  query("#admit-open").hidden = !may(visitor, "send");
  query("#admit-open").addEventListener("click", () => {
    form.reset();
    reply(query("#bed"), "");
    dialog.showModal();
  });
  query("#admit-cancel").addEventListener("click", () => dialog.close());
  onSubmit("#admit", async () => {
    const [patient, name] = [query("#bed").value.trim(), query("#called").value.trim()];
    if (tiles.has(patient)) {
      reply(query("#bed"), `${patient} is watched already. A name is changed on the patient's page.`, true);
      return;
    }
    const admitted = await attempt(() => post("/api/patients", name ? { patient, name } : { patient }), query("#bed"));
    if (!admitted) return;
    dialog.close();
    announce(outcome(`${admitted.name || admitted.patient} is admitted.`, admitted));
    show(admitted);
    arrangeTiles();
  });
}

onSound(() => (query("#ask").hidden = !isInaudible()));
setUpAdmission();
query("#silent-all").addEventListener("click", acknowledgeSilent);
await refresh(load);
setInterval(() => ownAlarms().catch(() => null), OWN_MS);
setInterval(() => [...tiles.values()].forEach((tile) => tile.tick()), AGE_MS);
watch([], {
  samples: (frame) => tiles.get(frame.patient)?.samples(frame),
  summary: (summary) => {
    show(summary);
    arrangeTiles();
  },
  connection: reloadWhenOpen(load),
});
