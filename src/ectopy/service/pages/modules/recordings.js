// Recordings: send or choose one, see how far its analysis is, open it, or play one to the ward.

import { get, post, remove, upload } from "./api.js";
import { element, onSubmit, query, reorder, setText } from "./dom.js";
import { announce, askToConfirm, attempt, follow, may, refresh, start } from "./page.js";
import { moment } from "./format.js";

const STATUS = { waiting: "Waiting", analysing: "Being analysed", done: "Analysed", failed: "Failed" };

const visitor = await start();
const rows = new Map();

async function send(files) {
  if (!files.length) return;
  const progressBar = query("#sent");
  progressBar.hidden = false;
  const form = Object.fromEntries([...new FormData(query("#stated"))].filter(([, value]) => value !== ""));
  const entry = await attempt(() => upload("/api/recordings", files, form, (share) => (progressBar.value = share)), query("#files"));
  progressBar.hidden = true;
  query("#files").value = "";
  if (entry) location.assign(address(entry));
}

async function choose() {
  const entry = await attempt(() => post("/api/recordings/named", { recording: query("#chosen").value }), query("#choose button"));
  if (entry) location.assign(address(entry));
}

async function listNames() {
  const names = await get("/api/recordings/named");
  query("#chosen").replaceChildren(...names.map((name) => element("option", {}, name)));
  query("#known").replaceChildren(...names.map((name) => element("option", { value: name })));
}

const address = ({ id }) => `/recording?id=${encodeURIComponent(id)}`;

class Row {
  constructor(entry) {
    this.name = element("a", { href: address(entry) }, entry.name);
    this.status = element("span", {});
    this.progress = element("progress", { "aria-label": `Analysis of ${entry.name}` });
    const deleteButton = element("button", { type: "button", class: "quiet", click: () => this.#remove(entry, deleteButton) }, "Delete");
    deleteButton.setAttribute("aria-label", `Delete ${entry.name}`);
    this.node = element(
      "li",
      {},
      element(
        "div",
        { class: "row between" },
        element("strong", {}, this.name),
        element("span", { class: "row" }, this.status, may(visitor, "administer") ? deleteButton : null),
      ),
      this.progress,
    );
  }

  update(entry) {
    setText(this.status, `${moment(entry.added_time)} · ${STATUS[entry.status]}${entry.error ? `: ${entry.error}` : ""}`);
    this.progress.hidden = entry.status !== "analysing"; // without a value: how long it takes is not known
  }

  async #remove(entry, button) {
    const sure = await askToConfirm({
      title: `Delete ${entry.name}?`,
      text: "Its files, its analysis and its report are deleted. This cannot be undone.",
      yes: "Delete it",
      no: "Keep it",
    });
    if (!sure || (await attempt(() => remove(`/api/recordings/${entry.id}`), button)) === undefined) return;
    announce(`${entry.name} is deleted.`);
    await refresh(list);
    query("#list-title").focus(); // the button that had it is gone
  }
}

async function list() {
  const entries = await get("/api/recordings");
  for (const entry of entries) {
    if (!rows.has(entry.id)) rows.set(entry.id, new Row(entry));
    rows.get(entry.id).update(entry);
  }
  reorder(query("#list"), entries.map(({ id }) => rows.get(id).node));
  query("#none").hidden = entries.length > 0;
  return entries.some(({ status }) => status === "waiting" || status === "analysing") || null; // others may send one
}

async function play() {
  const fields = Object.fromEntries(new FormData(query("#play")));
  const { patient } = fields;
  const replay = await attempt(async () => {
    const existing = (await get("/api/patients")).find((summary) => summary.patient === patient);
    if (existing && !(await askToConfirm(mixingQuestion(existing)))) return null;
    if (!existing) await post("/api/patients", { patient });
    return post("/api/replays", { ...fields, speed: Number(fields.speed) });
  }, query("#play button"));
  if (replay) location.assign(`/patient?patient=${encodeURIComponent(patient)}`);
}

const mixingQuestion = ({ patient, name }) => ({
  title: `Play into ${name || patient}, who is watched?`,
  text: "The recording is then stored as this patient's signal, raises this patient's alarms, and cannot be taken out.",
  yes: "Play it",
});

query("#send").hidden = !may(visitor, "upload");
query("#play-panel").hidden = !may(visitor, "administer");
const dropArea = query("#drop");
for (const name of ["dragenter", "dragover"]) {
  dropArea.addEventListener(name, (event) => {
    event.preventDefault();
    dropArea.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) dropArea.addEventListener(name, () => dropArea.classList.remove("over"));
dropArea.addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files);
});
query("#files").addEventListener("change", ({ target }) => send(target.files));
onSubmit("#choose", choose);
onSubmit("#play", play);
await refresh(listNames);
await follow(list);
