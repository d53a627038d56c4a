// Access: keys are made and revoked, and the audit shows who did and saw what.

import { get, post, remove } from "./api.js";
import { element, onSubmit, query, setText } from "./dom.js";
import { announce, attempt, may, refresh, reply, setUpCopy, start } from "./page.js";
import { moment } from "./format.js";

const ENTRIES = 50;
const DAY_S = 86400;

const visitor = await start();
let keyToRevoke = null; // the key that the dialog is about
let patient = "";
let pageStarts = [null]; // the entries before which the pages so far began, the present one last

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
  query("#keys").replaceChildren(...(await get("/api/keys")).map(keyRow));
}

/** For whom a key can be made to send. */
async function listSenders() {
  const [patients, devices] = await Promise.all([get("/api/patients"), get("/api/devices")]);
  query("#patients").replaceChildren(
    ...patients.map(({ patient, name }) => element("option", { value: patient }, name ? `${patient} (${name})` : patient)),
  );
  query("#devices").replaceChildren(...devices.map(({ device }) => element("option", { value: device }, device)));
}

/** Whom a new key sends for matters where it may send, and not where it may do everything. */
function showSenders() {
  const scopes = new FormData(query("#make")).getAll("scopes");
  query("#sends").hidden = !scopes.includes("send") || scopes.includes("administer");
}

/** For whom the key that is asked for sends; null where that is not said. */
function binding(formData) {
  if (query("#sends").hidden) return {};
  if (query("#any").checked) return { any_patient: true };
  const coming = query("#coming").value.trim();
  const patients = [...formData.getAll("patients"), ...(coming ? [coming] : [])];
  const devices = formData.getAll("devices");
  return patients.length || devices.length ? { patients, devices } : null;
}

async function make() {
  const formData = new FormData(query("#make"));
  const scopes = formData.getAll("scopes");
  if (!scopes.length) {
    reply(query("#make .scopes"), "Choose what the key may do.", true);
    return;
  }
  reply(query("#make .scopes"), "");
  const sends = binding(formData);
  reply(query("#sends"), sends ? "" : "Choose the patients or devices for whom the key sends.", !sends);
  if (!sends) return;
  const days = Number(query("#days").value);
  const expires_time = days ? Date.now() / 1000 + days * DAY_S : null;
  const body = { name: formData.get("name"), scopes, ...sends, expires_time };
  const newKey = await attempt(() => post("/api/keys", body), query("#make button"));
  if (!newKey) return;
  query("#make").reset();
  showSenders();
  setText(query("#made-title"), `The key of ${newKey.name}, shown this once`);
  setText(query("#secret"), newKey.key);
  query("#made").hidden = false;
  query("#made").focus();
  await refresh(listKeys);
}

function hideSecret() {
  setText(query("#secret"), "");
  query("#made").hidden = true;
}

function ask(key) {
  keyToRevoke = key;
  setText(query("#sure-title"), `Revoke ${key.name}?`);
  query("#sure").returnValue = "";
  query("#sure").showModal();
}

async function revoke({ id, name }) {
  if ((await attempt(() => remove(`/api/keys/${id}`), query("#keys").closest("table"))) === undefined) return;
  announce(`${name} is revoked.`);
  await refresh(listKeys);
  query("#keys-title").focus();
}

// The audit

function entryRow({ id, time, who, what, patient: subject, detail }) {
  return element(
    "tr",
    { "data-id": id },
    element("td", {}, moment(time)),
    element("td", {}, who),
    element("td", {}, what, detail ? element("span", { class: "detail" }, detail) : null),
    element("td", {}, subject),
  );
}

/** Show the last of some pages; the others are the newer ones. */
async function showPages(pages) {
  const search = new URLSearchParams({ limit: ENTRIES + 1 });
  if (patient) search.set("patient", patient);
  if (pages.at(-1) !== null) search.set("before", pages.at(-1));
  const entries = (await get(`/api/audit?${search}`)).reverse();
  pageStarts = pages;
  const pageEntries = entries.slice(0, ENTRIES);
  const first = ENTRIES * (pages.length - 1) + 1;
  const range = pageEntries.length ? `Entries ${first} to ${first + pageEntries.length - 1}, the newest first` : "No entries";
  setText(query("#range"), `${range}${patient ? `, about ${patient}` : ""}.`);
  query("#entries").replaceChildren(...pageEntries.map(entryRow));
  enablePaging(pages.length > 1, entries.length > ENTRIES);
}

async function filter() {
  patient = query("#about").value.trim();
  await attempt(() => showPages([null]), query("#filter"));
}

/** A button that is disabled gives its focus to the other one. */
function enablePaging(isNewer, isOlder) {
  const [newer, older] = [query("#newer"), query("#older")];
  const focused = document.activeElement;
  newer.disabled = !isNewer;
  older.disabled = !isOlder;
  if (focused === newer && !isNewer) older.focus();
  if (focused === older && !isOlder) newer.focus();
}

const lastShown = () => Number(query("#entries").lastChild.dataset.id);

if (may(visitor, "administer")) {
  query("#open").hidden = false;
  setUpCopy("#secret");
  query("#forget").addEventListener("click", () => {
    hideSecret();
    query("#name").focus();
  });
  addEventListener("pagehide", hideSecret); // a browser may show the page again as it was
  query("#sure").addEventListener("close", () => query("#sure").returnValue && revoke(keyToRevoke));
  query("#make").addEventListener("change", showSenders);
  query("#newer").addEventListener("click", () => attempt(() => showPages(pageStarts.slice(0, -1)), query("#newer")));
  query("#older").addEventListener("click", () => attempt(() => showPages([...pageStarts, lastShown()]), query("#older")));
  onSubmit("#make", make);
  onSubmit("#filter", filter);
  await refresh(() => Promise.all([listKeys(), listSenders(), showPages(pageStarts)]));
} else {
  query("#closed").hidden = false;
}
