// What every page has: the way to the others, who is signed in, the sound, and whether the connection is there.

import { get, session, signOut, UNREACHABLE } from "./api.js";
import { drawing, element, query, setText } from "./dom.js";
import { isInaudible, onSound, soundLost, status, toggleSound } from "./sound.js";

const WARD = ["/", "Ward"];
export const RECORDINGS = ["/recordings", "Recordings"];
const PLACES = [
  WARD,
  RECORDINGS,
  ["/training", "Training"],
  ["/about", "About"],
];
const OF_ADMINISTRATORS = ["/access", "Access"];
const SOUND = {
  off: ["Sound is off", "Turn the sound on"],
  on: ["Sound on", "Pause the sound on this screen for two minutes"],
  paused: ["Sound paused", "Let the sound be heard again"],
};

const FOLLOW_MS = 1000;
const AGAIN_MS = 5000; // after a failure, or where nothing is expected

const replies = new WeakMap(); // what was said beside an element
const failures = new Set(); // elements beside which an error is said

/** Fill the head of the page; gives who is signed in. `sounds`: whether alarms sound on this page. */
export async function start({ sounds = false } = {}) {
  const top = query("#top");
  const links = element("ul", {}, ...PLACES.map(link));
  top.append(brand(), element("nav", { "aria-label": "Pages" }, links));
  const visitor = await session();
  if (may(visitor, "administer")) links.append(link(OF_ADMINISTRATORS));
  const tools = element("div", { class: "tools" });
  if (sounds) tools.append(soundButton());
  tools.append(
    element("span", { class: "visitor" }, visitor.name),
    element("button", { type: "button", class: "quiet", click: ({ currentTarget: button }) => attempt(signOut, button) }, "Sign out"),
  );
  top.append(tools);
  return visitor;
}

/** The head of a page that needs no key. */
export function startOpen() {
  query("#top").append(brand());
}

export const may = (visitor, scope) => visitor.scopes.includes(scope) || visitor.scopes.includes("administer");

/** Say, and where alarms sound let a tone say, that what is on the screen is old; `open` takes it back. */
export function connection(state) {
  const isLost = state === "lost";
  document.documentElement.classList.toggle("lost", isLost);
  soundLost(isLost);
  setText(query("#connection"), isLost ? "Connection lost – what you see is old. Trying again …" : "");
}

/** Show each change of the connection, and load the page's data whenever it is open. */
export const reloadWhenOpen = (load) => (state) => {
  connection(state);
  if (state === "open") refresh(load);
};

/** Let a screen reader say it; urgent = at once. */
export function announce(text, urgent = false) {
  const region = query(urgent ? "#urgent" : "#polite");
  region.replaceChildren(element("p", {}, text));
}

export function announceAlarm({ priority, title, advice }, name = "") {
  announce(`${priority} priority alarm: ${title}${name && `, ${name}`}. ${advice}`, priority === "high");
}

/** Let the button #copy copy the text of an element. */
export function setUpCopy(selector) {
  query("#copy").hidden = !navigator.clipboard; // there is none without TLS
  query("#copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(query(selector).textContent);
    announce("Copied.");
  });
}

/** What is wrong with the page itself, above all of it. */
function trouble(text) {
  const place = query("#trouble");
  place.hidden = !text;
  setText(place, text);
}

/**
 * Say what came of a command beside the button or field it belongs to, where the reader looks; it stays until the next
 * time. A field that was refused gets the focus.
 */
export function reply(at, text, failed = false) {
  failures.delete(at);
  let place = replies.get(at);
  if (!place?.isConnected) {
    place = element("p", { id: `reply-${crypto.getRandomValues(new Uint32Array(1))[0]}` });
    replies.set(at, place);
    (at.closest(".row, .field, .command") ?? at).after(place);
  }
  place.className = failed ? "reply failed" : "reply";
  place.hidden = !text;
  if (failed) place.setAttribute("role", "alert");
  else place.removeAttribute("role");
  setText(place, text);
  if (at.matches("input, select, textarea")) {
    for (const [name, value] of [
      ["aria-invalid", "true"],
      ["aria-describedby", place.id],
    ]) {
      if (failed) at.setAttribute(name, value);
      else at.removeAttribute(name);
    }
    if (failed) at.focus({ preventScroll: true });
  }
  if (text) place.scrollIntoView({ block: "nearest" });
  if (text && !failed) announce(text);
}

const UNSTORED = "Done, and not stored yet: the database does not answer.";

const isUnstored = (answer) => [answer].flat().some((result) => result?.stored === false);

/** The sentence about a command that was carried out, with its `answer`. */
export const outcome = (text, answer) => (isUnstored(answer) ? `${text} ${UNSTORED}` : text);

/** Do what a person asked for; if it fails, or is not stored yet, say so beside the button or field `at`, in the words of `translate`. */
export async function attempt(work, at, translate = (text) => text) {
  reply(at, "");
  try {
    const answer = await work();
    if (isUnstored(answer)) reply(at, UNSTORED);
    return answer;
  } catch (error) {
    reply(at, translate(messageOf(error)), true);
    failures.add(at);
    return undefined;
  }
}

/** Take back what `attempt` said of failures. */
export function clearFailures() {
  for (const at of failures) reply(at, "");
}

/** Do what the page does by itself; if it fails, say so until it works again. */
export async function refresh(work) {
  try {
    const result = await work();
    trouble("");
    return result;
  } catch (error) {
    trouble(messageOf(error));
    return undefined;
  }
}

/** Ask before what cannot be undone; whether it is to be done. */
export function askToConfirm({ title, text, yes, no = "Cancel" }) {
  const dialog = element(
    "dialog",
    { "aria-labelledby": "question" },
    element("h2", { id: "question" }, title),
    element("p", {}, text),
    element(
      "form",
      { method: "dialog", class: "row" },
      element("button", { value: "yes", class: "first" }, yes),
      element("button", { value: "" }, no),
    ),
  );
  query("main").append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Do it again and again: soon after true, later after null or a failure, and no more after false. */
export async function follow(work) {
  for (;;) {
    const more = await refresh(() => reach(work));
    if (more === false) return;
    await new Promise((resolve) => setTimeout(resolve, more ? FOLLOW_MS : AGAIN_MS));
  }
}

/** Do what needs the server, and show whether the connection is there. */
async function reach(work) {
  try {
    const result = await work();
    connection("open");
    return result;
  } catch (error) {
    const isLost = error.status === UNREACHABLE;
    connection(isLost ? "lost" : "open");
    if (!isLost) throw error;
    return undefined;
  }
}

/** Go on where there is what this page is about; otherwise the page says that there is not, with a link `back`, and nothing else happens. */
export async function requireSubject(path, back = WARD) {
  const error = await get(path).then(() => null, (reason) => reason);
  if (error?.status !== 404) return;
  document.title = "Nothing here – Ectopy";
  const [address, name] = back;
  query("main").replaceChildren(
    element(
      "section",
      { class: "panel stack" },
      element("h1", {}, "Nothing exists at this address"),
      element("p", {}, error.message),
      element("p", {}, element("a", { href: address }, name)),
    ),
  );
  await new Promise(() => {});
}

function messageOf(error) {
  if (error.status === undefined) throw error;
  return error.message;
}

export const parameter = (name) => new URLSearchParams(location.search).get(name) ?? "";

/** The sign of a priority: its form says as much as its colour. */
export function prioritySign(priority) {
  const shapes = {
    high: "M8 1h8l7 7v8l-7 7H8l-7-7V8z",
    medium: "M12 2l11 20H1z",
    low: "M12 1a11 11 0 1 0 0 22a11 11 0 1 0 0-22z",
  };
  return drawing(
    "svg",
    { class: `sign ${priority}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
    drawing("path", { class: "shape", d: shapes[priority] ?? shapes.low }),
    drawing("path", { class: "mark", d: "M12 7.5v7M12 17.2v1.6" }),
  );
}

function brand() {
  return element(
    "a",
    { class: "brand", href: "/" },
    drawing(
      "svg",
      { viewBox: "0 0 32 20", "aria-hidden": "true" },
      drawing("path", { d: "M1 12h7l2-3 2 3h2l2.2-10L19 18l1.6-6H23l2.4-4 2.4 4H31" }),
    ),
    "Ectopy",
  );
}

function link([path, name]) {
  const isCurrent = location.pathname === path || (path === "/recordings" && location.pathname === "/recording");
  return element("li", {}, element("a", { href: path, "aria-current": isCurrent ? "page" : null }, name));
}

function soundButton() {
  const text = element("span", {});
  const button = element("button", { type: "button", class: "sound", click: toggleSound }, soundIcon(), text);
  onSound(() => {
    const { state, left } = status();
    const [name, effect] = SOUND[state];
    setText(text, state === "paused" ? `${name} ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : name);
    button.dataset.state = state;
    button.title = effect;
    button.setAttribute("aria-label", `${name}. ${effect}.`);
    button.classList.toggle("wanted", isInaudible());
  });
  return button;
}

function soundIcon() {
  return drawing(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    drawing("path", { class: "bell", d: "M4 9v6h4l5 4V5L8 9z" }),
    drawing("path", { class: "waves", d: "M16 9a4 4 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11" }),
    drawing("path", { class: "slash", d: "M16 9l6 6M22 9l-6 6" }),
  );
}
