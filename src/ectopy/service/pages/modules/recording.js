// One recording: how far its analysis is, then all of it, and its report.

import { get } from "./api.js";
import { find, say } from "./dom.js";
import { announce, attempt, follow, parameter, start } from "./shell.js";
import { Viewer } from "./viewer.js";

const WORDS = {
  waiting: "Waiting for the ones before it.",
  analysing: "Finding the heartbeats, learning what is normal, judging each beat.",
};

const path = `/api/recordings/${encodeURIComponent(parameter("id"))}`;

let entry = null;

/** Whether the analysis is still to come. */
async function look() {
  entry = await get(path);
  document.title = `${entry.name} – Ectopy`;
  say(find("#name"), entry.name);
  find("#progress").value = entry.progress;
  find("#progress").hidden = entry.status === "failed";
  find("#again").hidden = entry.status !== "failed";
  say(find("#status"), WORDS[entry.status] ?? `It could not be analysed: ${entry.error}`);
  return entry.status === "waiting" || entry.status === "analysing";
}

async function open() {
  find("#progress-panel").hidden = true;
  find("#viewer").hidden = find("#report").hidden = find("#report-link").hidden = false;
  find("#report-link").href = find("#page").src = `${path}/report`;
  announce("The analysis is done.");
  await new Viewer(path, entry.summary.duration_s).open();
}

await start();
await follow(look);
if (entry.status === "done") await attempt(open);
