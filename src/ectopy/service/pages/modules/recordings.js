// Recordings: send or choose one, see how far its analysis is, open it, or play one to the ward.

import { get, post, remove, upload } from "./api.js";
import { arrange, element, find, say } from "./dom.js";
import { announce, attempt, confirmed, follow, may, refresh, start } from "./shell.js";
import { moment } from "./words.js";

const STATUS = { waiting: "Waiting", analysing: "Being analysed", done: "Analysed", failed: "Failed" };

const visitor = await start();
const rows = new Map();

async function send(files) {
  if (!files.length) return;
  const sent = find("#sent");
  sent.hidden = false;
  const form = Object.fromEntries([...new FormData(find("#stated"))].filter(([, value]) => value !== ""));
  const entry = await attempt(() => upload("/api/recordings", files, form, (share) => (sent.value = share)), find("#files"));
  sent.hidden = true;
  find("#files").value = "";
  if (entry) location.assign(address(entry));
}

async function choose() {
  const entry = await attempt(() => post("/api/recordings/named", { recording: find("#chosen").value }), find("#choose button"));
  if (entry) location.assign(address(entry));
}

async function listNames() {
  const names = await get("/api/recordings/named");
  find("#chosen").replaceChildren(...names.map((name) => element("option", {}, name)));
  find("#known").replaceChildren(...names.map((name) => element("option", { value: name })));
}

const address = ({ id }) => `/recording?id=${encodeURIComponent(id)}`;

class Row {
  constructor(entry) {
    this.name = element("a", { href: address(entry) }, entry.name);
    this.status = element("span", {});
    this.progress = element("progress", { "aria-label": `Analysis of ${entry.name}` });
    const wipe = element("button", { type: "button", class: "quiet", click: () => this.#remove(entry, wipe) }, "Delete");
    wipe.setAttribute("aria-label", `Delete ${entry.name}`);
    this.node = element(
      "li",
      {},
      element(
        "div",
        { class: "row between" },
        element("strong", {}, this.name),
        element("span", { class: "row" }, this.status, may(visitor, "administer") ? wipe : null),
      ),
      this.progress,
    );
  }

  update(entry) {
    say(this.status, `${moment(entry.added_time)} · ${STATUS[entry.status]}${entry.error ? `: ${entry.error}` : ""}`);
    this.progress.hidden = entry.status !== "analysing"; // without a value: how long it takes is not known
  }

  async #remove(entry, button) {
    const sure = await confirmed({
      title: `Delete ${entry.name}?`,
      text: "Its files, its analysis and its report are deleted. This cannot be undone.",
      yes: "Delete it",
      no: "Keep it",
    });
    if (!sure || (await attempt(() => remove(`/api/recordings/${entry.id}`), button)) === undefined) return;
    announce(`${entry.name} is deleted.`);
    await refresh(list);
    find("#list-title").focus(); // the button that had it is gone
  }
}

async function list() {
  const entries = await get("/api/recordings");
  for (const entry of entries) {
    if (!rows.has(entry.id)) rows.set(entry.id, new Row(entry));
    rows.get(entry.id).update(entry);
  }
  arrange(find("#list"), entries.map(({ id }) => rows.get(id).node));
  find("#none").hidden = entries.length > 0;
  return entries.some(({ status }) => status === "waiting" || status === "analysing");
}

async function play() {
  const given = Object.fromEntries(new FormData(find("#play")));
  const { patient } = given;
  const replay = await attempt(async () => {
    const watched = (await get("/api/patients")).find((one) => one.patient === patient);
    if (watched && !(await confirmed(mixing(watched)))) return null;
    if (!watched) await post("/api/patients", { patient });
    return post("/api/replays", { ...given, speed: Number(given.speed) });
  }, find("#play button"));
  if (replay) location.assign(`/patient?patient=${encodeURIComponent(patient)}`);
}

const mixing = ({ patient, name }) => ({
  title: `Play into ${name || patient}, who is watched?`,
  text: "The recording is then stored as this patient's signal, raises this patient's alarms, and cannot be taken out.",
  yes: "Play it",
});

find("#send").hidden = !may(visitor, "upload");
find("#play-panel").hidden = !may(visitor, "administer");
const drop = find("#drop");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files);
});
find("#files").addEventListener("change", ({ target }) => send(target.files));
for (const [form, work] of [
  ["#choose", choose],
  ["#play", play],
]) {
  find(form).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
}
await refresh(listNames);
await follow(list);
