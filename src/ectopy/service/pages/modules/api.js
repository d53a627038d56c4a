// The server's API: sign-in, the token against cross-site requests, and errors in words.

import { capitalise } from "./format.js";

const KEY = "#key=";

/** Status of an error where no answer came. */
export const UNREACHABLE = 0;

const DATE_MS = 500; // a date in a header has whole seconds
const SAME_S = 1.5;

let csrf = "";
let clockAhead_s = 0; // how far the server's clock is ahead of this computer's, seconds
let isLeaving = false; // what else is refused while signing out leads nowhere

/** What was not done, in words; `answer` is what the server has answered. */
export class ApiError extends Error {
  constructor(status, message, answer = {}) {
    super(message);
    Object.assign(this, { status, answer });
  }
}

export const get = (path) => request("GET", path);
export const post = (path, body = {}) => request("POST", path, body);
export const put = (path, body) => request("PUT", path, body);
export const remove = (path) => request("DELETE", path);

/** Seconds since 1970 by the server's clock. */
export const serverNow = () => Date.now() / 1000 + clockAhead_s;

/** Address of a patient's data. */
export const patientPath = (patient, rest = "") => `/api/patients/${encodeURIComponent(patient)}${rest}`;

/** Address of the page about an alarm. */
export const alarmAddress = ({ patient, number }) => `/alarm?patient=${encodeURIComponent(patient)}&number=${number}`;

export const acknowledge = ({ patient, number }) => post(patientPath(patient, `/alarms/${number}/acknowledge`));

/** The key after # in the address, from where it is taken away at once: no history keeps it. */
export function keyInAddress() {
  if (!location.hash.startsWith(KEY)) return null;
  const key = decodeURIComponent(location.hash.slice(KEY.length));
  history.replaceState(null, "", location.pathname + location.search);
  return key;
}

/** Who is signed in: name, scopes. A key in the address signs in; without one the sign-in page opens. */
export async function session() {
  const key = keyInAddress();
  if (key) await signIn(key).catch(() => null);
  const answer = await get("/api/session");
  csrf = answer.csrf;
  return answer;
}

export async function signIn(key) {
  const answer = await request("POST", "/api/session", { key }, { redirect: false });
  csrf = answer.csrf;
  return answer;
}

export async function signOut() {
  isLeaving = true;
  await request("DELETE", "/api/session", undefined, { redirect: false }).catch((error) => {
    isLeaving = error.status === 401; // is signed out already
    if (!isLeaving) throw error;
  });
  location.assign("/signin");
}

/** Sign in and come back here. */
export function toSignIn() {
  if (!isLeaving) location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
  return new Promise(() => {});
}

/** Send files and fields; `progress` is called with the share that is sent, 0 to 1. */
export function upload(path, files, fields, progress) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    for (const file of files) form.append("files", file, file.name);
    const transfer = new XMLHttpRequest();
    transfer.open("POST", path);
    transfer.setRequestHeader("X-CSRF-Token", csrf);
    transfer.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    transfer.addEventListener("error", () => reject(unreachable()));
    transfer.addEventListener("load", () => {
      if (transfer.status === 401) toSignIn();
      else if (transfer.status < 300) resolve(JSON.parse(transfer.responseText));
      else reject(new ApiError(transfer.status, sentence(transfer.status, parseJson(transfer.responseText))));
    });
    transfer.send(form);
  });
}

async function request(method, path, body, { redirect = true } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw unreachable();
  }
  compareClocks(response.headers.get("Date"));
  if (response.status === 401 && redirect) return toSignIn();
  const text = await response.text();
  if (!response.ok) {
    const [answer, wait] = [parseJson(text), response.headers.get("Retry-After")];
    throw new ApiError(response.status, sentence(response.status, answer, wait), answer);
  }
  return text ? JSON.parse(text) : null;
}

function compareClocks(date) {
  const difference = (Date.parse(date) + DATE_MS - Date.now()) / 1000;
  if (Number.isFinite(difference)) clockAhead_s = Math.abs(difference) < SAME_S ? 0 : difference;
}

function unreachable() {
  return new ApiError(UNREACHABLE, "The server cannot be reached. Check the network, then try again.");
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function sentence(status, body, wait = null) {
  if (status === 429 && wait) return `Too many requests. Try again in ${wait} s.`;
  if (typeof body.detail === "string") return capitalise(body.detail);
  if (Array.isArray(body.detail)) return capitalise(body.detail.map(({ msg }) => msg).join("; "));
  return `The server answered with an error, ${status}. Try again.`;
}
