// One recording: how far its analysis is, then the workbench on which it is read, and its report.

import { get, post } from "./api.js";
import { query, setText } from "./dom.js";
import { capitalise } from "./format.js";
import { announce, attempt, follow, may, parameter, RECORDINGS, requireSubject, start } from "./page.js";
import { Workbench } from "./workbench.js";

const STEPS = [
  [0.6, "Step 3 of 3: writing the report."],
  [0.2, "Step 2 of 3: finding the heartbeats, learning what is normal, judging each beat."],
  [0, "Step 1 of 3: reading the recording."],
];

const path = `/api/recordings/${encodeURIComponent(parameter("id"))}`;

let entry = null;
let workbench = null;

/** Show how far the analysis is, and the workbench once there is a result; whether an analysis is still to come. */
async function look() {
  entry = await get(path);
  const isComing = entry.status === "waiting" || entry.status === "analysing";
  document.title = `${entry.name} – Ectopy`;
  setText(query("#name"), entry.name);
  query("#progress").hidden = entry.status !== "analysing"; // without a value: how long a step takes is not known
  query("#again").hidden = entry.status !== "failed";
  query("#analyse").hidden = isComing || !entry.error || !may(visitor, "correct");
  setText(query("#status"), words(entry));
  query("#progress-panel").hidden = entry.status === "done" && !entry.error;
  if (entry.summary && !workbench) await open();
  return isComing;
}

function words({ status, progress, error }) {
  if (status === "waiting") return "Waiting for the ones before it.";
  if (status === "analysing") return STEPS.find(([from]) => progress >= from)[1];
  if (status === "failed") return `It could not be analysed: ${error}`;
  return error ? capitalise(error) : "The analysis is done.";
}

async function open() {
  query("#workbench").hidden = query("#report").hidden = query("#page-tools").hidden = false;
  announce(words(entry));
  workbench = new Workbench(path, entry, visitor);
  await workbench.open();
}

async function analyseAgain() {
  if (await attempt(() => post(`${path}/analyse`), query("#analyse"))) await follow(look);
}

const visitor = await start();
await requireSubject(path, RECORDINGS);
query("#analyse").addEventListener("click", analyseAgain);
await follow(look);
