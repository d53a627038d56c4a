// One recording: how far its analysis is, then all of it, and its report.

import { get } from "./api.js";
import { find, say } from "./dom.js";
import { announce, attempt, parameter, start } from "./shell.js";
import { Viewer } from "./viewer.js";

const ASK_MS = 700;
const WORDS = {
  waiting: "Waiting for the ones before it.",
  analysing: "Finding the heartbeats, learning what is normal, judging each beat.",
};

const path = `/api/recordings/${encodeURIComponent(parameter("id"))}`;

async function follow() {
  const entry = await get(path);
  document.title = `${entry.name} – Ectopy`;
  say(find("#name"), entry.name);
  if (entry.status === "done") return open(entry);
  find("#progress").value = entry.progress;
  find("#progress").hidden = entry.status === "failed";
  say(find("#status"), WORDS[entry.status] ?? `It could not be analysed: ${entry.error}`);
  if (entry.status !== "failed") setTimeout(() => attempt(follow), ASK_MS);
  return undefined;
}

async function open(entry) {
  find("#progress-panel").hidden = true;
  find("#viewer").hidden = find("#report").hidden = find("#report-link").hidden = false;
  find("#report-link").href = find("#page").src = `${path}/report`;
  announce("The analysis is done.");
  await new Viewer(path, entry.summary.duration_s).open();
}

await start();
await attempt(follow);
