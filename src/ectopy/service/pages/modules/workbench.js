// The workbench of a recording: trace, full disclosure and lists, which follow each other.

import { get } from "./api.js";
import { Disclosure } from "./disclosure.js";
import { query, setText } from "./dom.js";
import { EventList } from "./event_list.js";
import { RecordingClock } from "./recording_clock.js";
import { Tabs } from "./tabs.js";
import { connectControls } from "./view_controls.js";
import { Viewer } from "./viewer.js";

/** Open the workbench of the recording at this path of the API, with its summary. */
export async function openWorkbench(path, summary) {
  const clock = new RecordingClock(summary.start, summary.duration_s);
  setText(query("#about"), clock.description);
  const viewer = new Viewer(path, clock);
  connectControls(viewer);
  await viewer.open();
  const disclosure = new Disclosure(viewer);
  const events = new EventList(viewer);
  const tabs = new Tabs(query("[role=tablist]"));
  disclosure.showLeads(summary.leads);
  const { events: list } = await get(`${path}/events`);
  disclosure.showEvents(list);
  events.show(list);
  connectKeys(viewer, disclosure, events, tabs);
  if (document.activeElement === document.querySelector("body")) viewer.view.focus({ preventScroll: true });
}

/** Letters that lead from one part of the workbench to another. */
function connectKeys(viewer, disclosure, events, tabs) {
  const workbench = query("#workbench");
  const button = query("#whole-page");
  const showWhole = (isWhole) => {
    workbench.classList.toggle("whole", isWhole);
    button.setAttribute("aria-pressed", isWhole);
  };
  button.addEventListener("click", () => showWhole(!workbench.classList.contains("whole")));
  disclosure.chosen = () => showWhole(false);
  const places = {
    g: () => query("#jump").focus(),
    f: () => (showWhole(!workbench.classList.contains("whole")), disclosure.box.focus()),
    t: () => (showWhole(false), viewer.view.focus()),
    e: () => (tabs.show("events-tab"), events.focus()),
  };
  workbench.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), select, textarea")) return;
    const place = places[event.key.toLowerCase()];
    if (!place) return;
    event.preventDefault();
    place();
  });
}
