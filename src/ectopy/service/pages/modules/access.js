// Who may get in, and who did and saw what: keys are made and revoked, the audit is read.

import { get, post, remove } from "./api.js";
import { element, find, say } from "./dom.js";
import { announce, attempt, may, refresh, reply, start } from "./shell.js";
import { moment } from "./words.js";

const ENTRIES = 50;
const DAY_S = 86400;

const visitor = await start();
let asked = null; // the key that the dialog is about
let patient = "";
let begins = [null]; // before which entry the pages begin that were turned, the present one last

// Keys

function keyRow(key) {
  const revoke = element("button", { type: "button", class: "quiet", click: () => ask(key) }, "Revoke");
  revoke.setAttribute("aria-label", `Revoke ${key.name}`);
  const ends = key.expires_time === null ? "" : `, good until ${moment(key.expires_time)}`;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, key.name, element("span", { class: "detail" }, `no. ${key.id}, made ${moment(key.created_time)}${ends}`)),
    element("td", {}, key.scopes.join(", ")),
    element("td", { class: "names" }, sendsFor(key)),
    element("td", {}, revoke),
  );
}

function sendsFor({ scopes, patients, devices }) {
  if (!scopes.includes("send") && !scopes.includes("administer")) return "";
  if (patients === null) return "any patient";
  return [...patients, ...devices.map((device) => `device ${device}`)].join(", ");
}

async function listKeys() {
  find("#keys").replaceChildren(...(await get("/api/keys")).map(keyRow));
}

/** For whom a key can be made to send. */
async function listSenders() {
  const [patients, devices] = await Promise.all([get("/api/patients"), get("/api/devices")]);
  find("#patients").replaceChildren(
    ...patients.map(({ patient, name }) => element("option", { value: patient }, name ? `${patient} (${name})` : patient)),
  );
  find("#devices").replaceChildren(...devices.map(({ device }) => element("option", { value: device }, device)));
}

/** Whom a new key sends for matters where it may send, and not where it may do everything. */
function showSenders() {
  const scopes = new FormData(find("#make")).getAll("scopes");
  find("#sends").hidden = !scopes.includes("send") || scopes.includes("administer");
}

/** For whom the key that is asked for sends; null where that is not said. */
function binding(given) {
  if (find("#sends").hidden) return {};
  if (find("#any").checked) return { any_patient: true };
  const coming = find("#coming").value.trim();
  const patients = [...given.getAll("patients"), ...(coming ? [coming] : [])];
  const devices = given.getAll("devices");
  return patients.length || devices.length ? { patients, devices } : null;
}

async function make() {
  const given = new FormData(find("#make"));
  const scopes = given.getAll("scopes");
  if (!scopes.length) {
    reply(find("#make .scopes"), "Choose what the key may do.", true);
    return;
  }
  reply(find("#make .scopes"), "");
  const sends = binding(given);
  reply(find("#sends"), sends ? "" : "Choose the patients or devices for whom the key sends.", !sends);
  if (!sends) return;
  const days = Number(find("#days").value);
  const expires_time = days ? Date.now() / 1000 + days * DAY_S : null;
  const body = { name: given.get("name"), scopes, ...sends, expires_time };
  const made = await attempt(() => post("/api/keys", body), find("#make button"));
  if (!made) return;
  find("#make").reset();
  showSenders();
  say(find("#made-title"), `The key of ${made.name}, shown this once`);
  say(find("#secret"), made.key);
  find("#made").hidden = false;
  find("#made").focus();
  await refresh(listKeys);
}

function forget() {
  say(find("#secret"), "");
  find("#made").hidden = true;
}

function ask(key) {
  asked = key;
  say(find("#sure-title"), `Revoke ${key.name}?`);
  find("#sure").returnValue = "";
  find("#sure").showModal();
}

async function revoke({ id, name }) {
  if ((await attempt(() => remove(`/api/keys/${id}`), find("#keys").closest("table"))) === undefined) return;
  announce(`${name} is revoked.`);
  await refresh(listKeys);
  find("#keys-title").focus();
}

// The audit

function entryRow({ id, time, who, what, patient: whom, detail }) {
  return element(
    "tr",
    { "data-id": id },
    element("td", {}, moment(time)),
    element("td", {}, who),
    element("td", {}, what, detail ? element("span", { class: "detail" }, detail) : null),
    element("td", {}, whom),
  );
}

/** Show the last of some pages; the others are the newer ones. */
async function turn(pages) {
  const query = new URLSearchParams({ limit: ENTRIES + 1 });
  if (patient) query.set("patient", patient);
  if (pages.at(-1) !== null) query.set("before", pages.at(-1));
  const found = (await get(`/api/audit?${query}`)).reverse();
  begins = pages;
  const shown = found.slice(0, ENTRIES);
  const first = ENTRIES * (pages.length - 1) + 1;
  const range = shown.length ? `Entries ${first} to ${first + shown.length - 1}, the newest first` : "No entries";
  say(find("#range"), `${range}${patient ? `, about ${patient}` : ""}.`);
  find("#entries").replaceChildren(...shown.map(entryRow));
  allow(pages.length > 1, found.length > ENTRIES);
}

async function filter() {
  patient = find("#about").value.trim();
  await attempt(() => turn([null]), find("#filter"));
}

/** A button that is disabled gives its focus to the other one. */
function allow(isNewer, isOlder) {
  const [newer, older] = [find("#newer"), find("#older")];
  const focused = document.activeElement;
  newer.disabled = !isNewer;
  older.disabled = !isOlder;
  if (focused === newer && !isNewer) older.focus();
  if (focused === older && !isOlder) newer.focus();
}

const lastShown = () => Number(find("#entries").lastChild.dataset.id);

if (may(visitor, "administer")) {
  find("#open").hidden = false;
  find("#copy").hidden = !navigator.clipboard; // there is none without TLS
  find("#copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(find("#secret").textContent);
    announce("Copied.");
  });
  find("#forget").addEventListener("click", () => {
    forget();
    find("#name").focus();
  });
  addEventListener("pagehide", forget); // a browser may show the page again as it was
  find("#sure").addEventListener("close", () => find("#sure").returnValue && revoke(asked));
  find("#make").addEventListener("change", showSenders);
  find("#newer").addEventListener("click", () => attempt(() => turn(begins.slice(0, -1)), find("#newer")));
  find("#older").addEventListener("click", () => attempt(() => turn([...begins, lastShown()]), find("#older")));
  for (const [form, work] of [
    ["#make", make],
    ["#filter", filter],
  ]) {
    find(form).addEventListener("submit", (event) => {
      event.preventDefault();
      work();
    });
  }
  await refresh(() => Promise.all([listKeys(), listSenders(), turn(begins)]));
} else {
  find("#closed").hidden = false;
}
