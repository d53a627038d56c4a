// The ward: one tile per patient, the most urgent first; alarms are seen, heard, and say what to do.

import { get } from "./api.js";
import { arrange, element, find, say } from "./dom.js";
import { watch } from "./live.js";
import { MM } from "./paper.js";
import { announce, connection, refresh, sign, start } from "./shell.js";
import { onSound, sound, unheard } from "./sound.js";
import { Sweep } from "./sweep.js";
import { bpm, counted, PRIORITIES, state } from "./words.js";

const STATION = "station";
const OWN_MS = 10_000;

const tiles = new Map();
let own = [];
let settled = false;

class Tile {
  constructor(summary) {
    this.link = element("a", { href: `/patient?patient=${encodeURIComponent(summary.patient)}` });
    this.id = element("span", { class: "id" });
    this.more = element("span", { class: "more" });
    this.lead = element("span", { class: "lead" }, "No signal now");
    this.rate = element("b", {});
    this.news = element("div", { class: "news" });
    const canvas = element("canvas", { "aria-hidden": true });
    this.node = element(
      "li",
      { class: "tile" },
      element("header", {}, element("h2", {}, this.link), this.id, this.more),
      element("div", { class: "strip" }, canvas, this.lead),
      element("p", { class: "rate" }, this.rate, element("span", {}, "per minute")),
      this.news,
    );
    this.sweep = new Sweep(canvas, { most: 1, mm: enlarged() });
    this.sweep.onstale = (stale) => {
      this.node.classList.toggle("stale", stale);
      say(this.lead, stale ? "No signal now" : this.sweep.shown[0]);
    };
    this.shown = null;
  }

  samples(frame) {
    this.sweep.push(frame);
  }

  update(summary) {
    this.summary = summary;
    const { alarm, calling } = summary;
    say(this.link, summary.name || summary.patient);
    say(this.id, summary.name ? summary.patient : "");
    say(this.rate, bpm(summary.heart_rate_bpm));
    say(this.more, summary.alarms > 1 ? counted(summary.alarms, "alarm") : "");
    const priority = alarm?.priority ?? "";
    this.node.className = ["tile", priority, answered(alarm) && "answered", this.sweep.stale && "stale"]
      .filter(Boolean)
      .join(" ");
    const parts = [alarm, calling].map((one) => one && [one.number, one.text, one.priority, one.state, answered(one)]);
    const shown = JSON.stringify([summary.state, parts]);
    if (shown !== this.shown) this.#tell(summary);
    this.shown = shown;
  }

  #tell({ patient, alarm, calling, ...summary }) {
    if (!alarm) {
      const { text, colour } = state(summary.state);
      this.news.replaceChildren(element("p", { class: `state ${colour}` }, text));
      return;
    }
    const focused = this.news.contains(document.activeElement);
    // One that was answered hides none that still calls.
    const told = calling && calling.number !== alarm.number ? [alarm, calling] : [alarm];
    this.news.replaceChildren(...told.map((one) => band(one, summary.name || patient, one.advice)));
    if (focused) find(".answer", this.news).focus();
  }
}

function band(alarm, whom, text) {
  const words = answered(alarm) ? "Answered" : "Answer";
  const gone = alarm.state === "latched" ? element("small", {}, "over") : null;
  const priority = element("span", { class: "visually-hidden" }, `${alarm.priority} priority: `);
  const label = `${words}: ${alarm.title}, ${whom}`;
  return element(
    "div",
    { class: `band ${alarm.priority}${answered(alarm) ? " answered" : ""}` },
    sign(alarm.priority),
    element("div", {}, element("strong", {}, priority, alarm.title, gone), element("p", {}, text)),
    element("a", { class: "answer", href: alarmPath(alarm), "aria-label": label }, words),
  );
}

/** A millimetre of the paper; larger on a wall screen, as the letters are. */
const enlarged = () => (MM * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;

const alarmPath = ({ patient, number }) => `/alarm?patient=${encodeURIComponent(patient)}&number=${number}`;

const answered = (alarm) => alarm?.inactivation === "alert-acknowledged";

const audible = (alarm) => alarm && alarm.inactivation === "enabled";

/** Larger = more urgent. */
function urgency({ alarm, calling, state: word }) {
  const weight = ({ priority }) => 10 * (PRIORITIES.indexOf(priority) + 1);
  if (alarm) return weight(alarm) + (calling ? weight(calling) / 10 : 0);
  return ["normal", "learning", "abnormal", "unreadable", "no data"].indexOf(word);
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
  const before = tile.summary?.calling;
  tile.update(summary);
  const alarm = summary.calling;
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
  find("#own").replaceChildren(...own.map((alarm) => element("li", {}, band(alarm, "the service", alarm.text))));
  settle();
}

function settle() {
  const summaries = [...tiles.values()].map((tile) => tile.summary);
  const order = summaries.toSorted(
    (one, other) => urgency(other) - urgency(one) || (one.name || one.patient).localeCompare(other.name || other.patient, "en", { numeric: true }),
  );
  arrange(find("#tiles"), order.map(({ patient }) => tiles.get(patient).node));
  const alarms = [...own, ...summaries.map(({ calling }) => calling).filter(Boolean)];
  const waiting = alarms.filter((alarm) => !answered(alarm));
  const high = waiting.filter(({ priority }) => priority === "high").length;
  const calls = waiting.length ? `, ${counted(waiting.length, "alarm")} to answer${high ? ` (${high} high)` : ""}` : "";
  say(find("#count"), counted(summaries.length, "patient") + calls);
  document.title = `${waiting.length ? `(${waiting.length}) ` : ""}Ward – Ectopy`;
  find("#nobody").hidden = summaries.length > 0;
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

await start({ heard: true });
onSound(() => (find("#ask").hidden = !unheard()));
await refresh(load);
setInterval(() => ownAlarms().catch(() => null), OWN_MS);
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
