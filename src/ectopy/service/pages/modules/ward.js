// The ward: one tile per patient, the most urgent first; alarms are seen, heard, and say what to do.

import { get, patientPath, post, serverNow } from "./api.js";
import { arrange, element, find, say } from "./dom.js";
import { watch } from "./live.js";
import { MM } from "./paper.js";
import { announce, attempt, connection, may, outcome, refresh, reply, sign, start } from "./shell.js";
import { onSound, sound, unheard } from "./sound.js";
import { Sweep } from "./sweep.js";
import { acknowledged, alarmAge, bpm, clock, counted, PRIORITIES, SILENT_S, state, unwatched } from "./words.js";

const STATION = "station";
const OWN_MS = 10_000;
const AGE_MS = 500;
const NO_DATA = "no data";
const MANY_SILENT = 3; // so many patients without data are one fault, such as a gateway's

const visitor = await start({ heard: true });
const tiles = new Map();
let own = [];
let settled = false;

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
    this.shown = null;
  }

  samples(frame) {
    this.sweep.push(frame);
  }

  update(summary) {
    this.summary = summary;
    if (summary.received_time !== null) this.sweep.received(serverNow() - summary.received_time);
    const { alarm, unacknowledged } = summary;
    say(this.link, summary.name || summary.patient);
    say(this.id, summary.name ? summary.patient : "");
    const shown = JSON.stringify(
      [unacknowledged ?? alarm, alarm].map((one) => one && [one.number, one.title, one.priority, one.state, acknowledged(one), summary.alarms]),
    );
    if (shown !== this.shown) this.#tell(summary);
    this.shown = shown;
    this.tick();
  }

  /** What depends on the time: an old figure is not shown, and an alarm grows older. */
  tick() {
    const { summary, sweep } = this;
    const silent = sweep.silent_s > SILENT_S;
    const { text, colour } = state(summary, sweep.silent_s);
    const alarm = this.band;
    say(this.rate, bpm(silent ? null : summary.heart_rate_bpm));
    say(this.lead, sweep.shown?.[0] ?? "");
    const priority = alarm?.priority ?? "";
    this.node.className = ["tile", priority, alarm && acknowledged(alarm) && "answered", silent && "stale"].filter(Boolean).join(" ");
    if (alarm) {
      say(this.age, alarmAge(alarm, serverNow()));
      say(this.note, silent ? text : unwatched(summary));
    } else {
      say(this.note, summary.state === "learning" ? "" : unwatched(summary));
      say(this.state, text);
      this.state.className = `state ${colour}`;
    }
    this.note.hidden = !this.note.textContent;
  }

  /** The alarm that calls, or else the most urgent one; one that is acknowledged is named above all the same. */
  #tell({ patient, name, alarm, unacknowledged, alarms }) {
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
    if (focused) find("a, button", this.news).focus();
    if (unacknowledged && unacknowledged.number !== alarm.number) {
      const label = `Acknowledged: ${alarm.title}, ${name || patient}`;
      this.more.append(element("a", { href: alarmPath(alarm), "aria-label": label }, `✓ ${alarm.title}`));
    } else if (alarms > 1) {
      this.more.append(counted(alarms, "alarm"));
    }
  }
}

function band(alarm, whom, age) {
  const { priority, title } = alarm;
  const done = acknowledged(alarm);
  const node = element(
    "div",
    { class: `band ${priority}${done ? " answered" : ""}` },
    sign(priority),
    element(
      "div",
      { class: "words" },
      element(
        "p",
        { class: "line" },
        element("span", { class: "visually-hidden" }, `${priority} priority: `),
        element("a", { class: "what", href: alarmPath(alarm), title, "aria-label": `${title}, ${whom}` }, title),
        age,
      ),
      element("p", { class: "advice" }, done ? `Acknowledged by ${alarm.acknowledged_by}` : alarm.advice),
    ),
    done ? element("span", { class: "done" }, "Acknowledged") : null,
  );
  if (!done && may(visitor, "acknowledge")) node.append(acknowledgeButton(alarm, whom));
  return node;
}

function acknowledgeButton(alarm, whom) {
  const button = element("button", { type: "button", class: "answer" }, "Acknowledge");
  button.setAttribute("aria-label", `Acknowledge: ${alarm.title}, ${whom}`);
  button.addEventListener("click", async () => {
    const given = await attempt(() => acknowledge(alarm), button.closest(".band"));
    if (given) announce(outcome(`Acknowledged: ${alarm.title}, ${whom}.`, given));
  });
  return button;
}

const acknowledge = ({ patient, number }) => post(patientPath(patient, `/alarms/${number}/acknowledge`), { comment: "" });

/** A millimetre of the paper; larger on a wall screen, as the letters are. */
const enlarged = () => (MM * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;

const alarmPath = ({ patient, number }) => `/alarm?patient=${encodeURIComponent(patient)}&number=${number}`;

const audible = (alarm) => alarm && alarm.inactivation === "enabled";

/** Larger = more urgent. */
function urgency({ alarm, unacknowledged, state: word }) {
  const weight = ({ priority }) => 10 * (PRIORITIES.indexOf(priority) + 1);
  if (alarm) return weight(alarm) + (unacknowledged ? weight(unacknowledged) / 10 : 0);
  return ["normal", "learning", "abnormal", "unreadable", NO_DATA].indexOf(word);
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
  const before = tile.summary?.unacknowledged;
  tile.update(summary);
  const alarm = summary.unacknowledged;
  if (settled && audible(alarm) && (before?.number !== alarm.number || before.priority !== alarm.priority)) {
    const whom = summary.name || summary.patient;
    announce(`${alarm.priority} priority alarm: ${alarm.title}, ${whom}. ${alarm.advice}`, alarm.priority === "high");
  }
}

function drop(patient) {
  tiles.get(patient)?.sweep.stop();
  tiles.delete(patient);
}

/** Alarms of the service itself: nobody can be reached, nothing can be stored. */
async function ownAlarms() {
  own = (await get("/api/alarms")).filter(({ patient }) => patient === STATION);
  find("#own").replaceChildren(
    ...own.map((alarm) => element("li", {}, band({ ...alarm, advice: alarm.text }, "the service", element("small", {}, alarmAge(alarm, serverNow()))))),
  );
  settle();
}

/** Many patients without data at once are told together, and acknowledged together. */
function tellSilent(summaries) {
  const silent = summaries.map(({ unacknowledged }) => unacknowledged).filter((alarm) => alarm?.condition === NO_DATA);
  const place = find("#silent");
  place.hidden = silent.length < MANY_SILENT;
  if (place.hidden) return;
  const since = Math.min(...silent.map(({ since_time: time }) => time));
  say(find("#silent-words"), `${counted(silent.length, "device")} silent since ${clock(since, false)}: check what they have in common, such as a gateway or a network.`);
  find("#silent-all").hidden = !may(visitor, "acknowledge");
  place.alarms = silent;
}

async function acknowledgeSilent() {
  const place = find("#silent");
  const { alarms } = place;
  const given = await attempt(() => Promise.all(alarms.map(acknowledge)), place);
  if (given) announce(outcome(`${counted(given.length, "alarm")} acknowledged.`, given));
}

function settle() {
  const summaries = [...tiles.values()].map((tile) => tile.summary);
  const order = summaries.toSorted(
    (one, other) => urgency(other) - urgency(one) || (one.name || one.patient).localeCompare(other.name || other.patient, "en", { numeric: true }),
  );
  arrange(find("#tiles"), order.map(({ patient }) => tiles.get(patient).node));
  const alarms = [...own, ...summaries.map(({ unacknowledged }) => unacknowledged).filter(Boolean)];
  const waiting = alarms.filter((alarm) => !acknowledged(alarm));
  const high = waiting.filter(({ priority }) => priority === "high").length;
  const calls = waiting.length ? `, ${counted(waiting.length, "alarm")} to acknowledge${high ? ` (${high} high)` : ""}` : "";
  say(find("#count"), counted(summaries.length, "patient") + calls);
  document.title = `${waiting.length ? `(${waiting.length}) ` : ""}Ward – Ectopy`;
  find("#nobody").hidden = summaries.length > 0;
  tellSilent(summaries);
  const heard = alarms.filter(audible).map(({ priority }) => PRIORITIES.indexOf(priority));
  sound(PRIORITIES[Math.max(-1, ...heard)] ?? null);
  find("#ask").hidden = !unheard();
}

async function load() {
  const before = [...tiles.keys()];
  const summaries = await get("/api/patients");
  const watched = new Set(summaries.map(({ patient }) => patient));
  for (const patient of before) if (!watched.has(patient)) drop(patient);
  for (const summary of summaries) show(summary);
  await ownAlarms();
  settled = true;
}

// Admission

function admitting() {
  const [dialog, form] = [find("#admission"), find("#admit")];
  find("#admit-open").hidden = !may(visitor, "send");
  find("#admit-open").addEventListener("click", () => {
    form.reset();
    reply(find("#bed"), "");
    dialog.showModal();
  });
  find("#admit-cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [patient, name] = [find("#bed").value.trim(), find("#called").value.trim()];
    if (tiles.has(patient)) {
      reply(find("#bed"), `${patient} is watched already. A name is changed on the patient's page.`, true);
      return;
    }
    const admitted = await attempt(() => post("/api/patients", name ? { patient, name } : { patient }), find("#bed"));
    if (!admitted) return;
    dialog.close();
    announce(outcome(`${admitted.name || admitted.patient} is admitted.`, admitted));
    show(admitted);
    settle();
  });
}

onSound(() => (find("#ask").hidden = !unheard()));
admitting();
find("#silent-all").addEventListener("click", acknowledgeSilent);
await refresh(load);
setInterval(() => ownAlarms().catch(() => null), OWN_MS);
setInterval(() => [...tiles.values()].forEach((tile) => tile.tick()), AGE_MS);
watch([], {
  samples: (frame) => tiles.get(frame.patient)?.samples(frame),
  summary: (summary) => {
    show(summary);
    settle();
  },
  connection: (how) => {
    connection(how);
    if (how === "open") refresh(load);
  },
});
