// One recording: how far its analysis is, then the workbench on which it is read, and its report.

import { get, post } from "./api.js";
import { query, setText } from "./dom.js";
import { announce, attempt, follow, may, parameter, refresh, start } from "./page.js";
import { ReportFrame } from "./report_frame.js";
import { Workbench } from "./workbench.js";

const STEPS = [
  [0.6, "Step 3 of 3: writing the report."],
  [0.2, "Step 2 of 3: finding the heartbeats, learning what is normal, judging each beat."],
  [0, "Step 1 of 3: reading the recording."],
];

const path = `/api/recordings/${encodeURIComponent(parameter("id"))}`;

let entry = null;

/** Whether the analysis is still to come. */
async function look() {
  entry = await get(path);
  document.title = `${entry.name} – Ectopy`;
  setText(query("#name"), entry.name);
  query("#progress").hidden = entry.status !== "analysing"; // without a value: how long a step takes is not known
  query("#again").hidden = entry.status !== "failed";
  setText(query("#status"), words(entry));
  return entry.status === "waiting" || entry.status === "analysing";
}

function words({ status, progress, error }) {
  if (status === "waiting") return "Waiting for the ones before it.";
  if (status === "analysing") return STEPS.find(([from]) => progress >= from)[1];
  return status === "failed" ? `It could not be analysed: ${error}` : "The analysis is done.";
}

async function open() {
  query("#progress-panel").hidden = true;
  query("#workbench").hidden = query("#report").hidden = query("#page-tools").hidden = false;
  announce("The analysis is done.");
  await new Workbench(path, entry, visitor, new ReportFrame(path)).open();
}

/** Follow the analysis to its end, then open the workbench. */
async function run() {
  await follow(look);
  query("#analyse").hidden = entry.status !== "failed" || !may(visitor, "correct");
  if (entry.status === "done") await refresh(open);
}

async function analyseAgain() {
  if (await attempt(() => post(`${path}/analyse`), query("#analyse"))) await run();
}

const visitor = await start();
query("#analyse").addEventListener("click", analyseAgain);
await run();
