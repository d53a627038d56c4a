// One recording: how far its analysis is, then the workbench on which it is read, and its report.

import { get } from "./api.js";
import { query, setText } from "./dom.js";
import { announce, follow, parameter, refresh, start } from "./page.js";
import { openWorkbench } from "./workbench.js";

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

/** The report as high as it is, so that there is one scroll bar. */
function fit() {
  const page = query("#page");
  const { documentElement: root } = page.contentDocument;
  const measure = () => (page.style.height = `${root.scrollHeight + page.offsetHeight - page.clientHeight}px`);
  new ResizeObserver(measure).observe(root.querySelector("body"));
}

async function open() {
  query("#progress-panel").hidden = true;
  query("#workbench").hidden = query("#report").hidden = query("#page-tools").hidden = false;
  announce("The analysis is done.");
  await openWorkbench(path, entry.summary);
  query("#page").addEventListener("load", fit);
  query("#report-link").href = query("#page").src = `${path}/report`;
}

await start();
await follow(look);
if (entry.status === "done") await refresh(open);
