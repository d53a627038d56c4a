// The workbench of a recording: trace, full disclosure, lists and report, which follow each other and the corrections.

import { get } from "./api.js";
import { Corrections } from "./corrections.js";
import { Disclosure } from "./disclosure.js";
import { query, setText } from "./dom.js";
import { Editing } from "./editing.js";
import { EventList } from "./event_list.js";
import { FamilyList } from "./family_list.js";
import { showKeys } from "./key_list.js";
import { announce, clearFailures, connection, may, refresh } from "./page.js";
import { RecordingClock } from "./recording_clock.js";
import { ReportFrame } from "./report_frame.js";
import { ReportPanel } from "./report_panel.js";
import { Tabs } from "./tabs.js";
import { connectControls } from "./view_controls.js";
import { Viewer } from "./viewer.js";

const FAMILY_KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

export class Workbench {
  /** `entry` is the analysed recording as the API gives it; `visitor` who is signed in. */
  constructor(path, entry, visitor) {
    const mayCorrect = may(visitor, "correct");
    const clock = new RecordingClock(entry.summary.start, entry.summary.duration_s);
    setText(query("#about"), clock.description);
    this.path = path;
    this.viewer = new Viewer(path, clock, entry.summary.leads);
    this.corrections = new Corrections(path, entry);
    this.disclosure = new Disclosure(this.viewer);
    this.disclosure.showLeads(entry.summary.leads);
    this.events = new EventList(this.viewer);
    this.families = new FamilyList(this.viewer, this.corrections, mayCorrect);
    this.panel = new ReportPanel(this.viewer, this.corrections, mayCorrect);
    this.report = new ReportFrame(path, this.panel);
    this.editing = new Editing(this.viewer, this.corrections, mayCorrect);
    this.tabs = new Tabs(query("[role=tablist]"));
    connectControls(this.viewer);
    this.#connectKeys(mayCorrect);
    this.corrections.addEventListener("change", ({ detail: { by } }) => this.#change(by));
  }

  /** Show the signal first, then everything else. */
  async open() {
    await this.viewer.open();
    if (document.activeElement === document.querySelector("body")) this.viewer.view.focus({ preventScroll: true });
    await this.#load();
    this.corrections.follow(connection);
  }

  /** Load the lists one after the other, what is there first to be shown first; gives the log. */
  async #load() {
    const log = await this.corrections.load();
    this.panel.show(log);
    this.#showEvents(await get(`${this.path}/events?waves=false`), await get(`${this.path}/episodes`));
    this.families.show(await get(`${this.path}/families`));
    this.#loadWaveEvents();
    return log;
  }

  /** Add the events of ST and QT, which take longer where many beats were corrected. */
  #loadWaveEvents() {
    const { version } = this.corrections;
    refresh(async () => {
      const answers = await Promise.all(["events", "episodes"].map((name) => get(`${this.path}/${name}`)));
      if (version === this.corrections.version) this.#showEvents(...answers);
    });
  }

  #showEvents({ events }, { episodes }) {
    this.events.show(events, episodes);
    this.disclosure.showEvents(events);
  }

  /** Load everything again, and say who made the correction if it was somebody else. */
  async #change(by) {
    if (!by) clearFailures();
    this.report.outdate();
    const { analysis } = this.corrections;
    await refresh(async () => {
      const [log] = await Promise.all([this.#load(), this.viewer.reload()]);
      performance.mark("correction shown");
      this.disclosure.reload();
      this.report.reload();
      if (!by) return;
      const text =
        analysis === log.analysis
          ? `${log.entries.at(-1)?.by ?? by} has corrected this recording. It is loaded.`
          : "This recording was analysed again. The new analysis is loaded.";
      setText(query("#changed"), text);
      announce(text);
    });
  }

  #connectKeys(mayCorrect) {
    query("#keys").addEventListener("click", showKeys);
    query("#whole-page").addEventListener("click", () => this.#showWhole(!this.isWhole));
    this.disclosure.onChoose = () => this.#showWhole(false);
    const places = {
      g: () => query("#jump").focus(),
      d: () => (this.#showWhole(!this.isWhole), this.disclosure.box.focus({ preventScroll: true })),
      t: () => (this.#showWhole(false), this.viewer.view.focus({ preventScroll: true })),
      e: () => (this.tabs.show("events-tab"), this.events.focus()),
      f: () => (this.tabs.show("families-tab"), this.families.focus()),
      ...Object.fromEntries(
        FAMILY_KEYS.map((key) => [key, () => (this.tabs.show("families-tab"), this.families.chooseNumber(Number(key)))]),
      ),
      "[": () => this.families.step(-1),
      "]": () => this.families.step(1),
      p: () => this.report.print(),
      k: showKeys,
      "?": showKeys,
      ...(mayCorrect && {
        w: () => (this.tabs.show("report-tab"), this.panel.conclusion.focus()),
        r: () => (this.tabs.show("report-tab"), this.panel.caption.focus()),
      }),
    };
    query("#workbench").addEventListener("keydown", (event) => {
      const isTyping = event.target.matches("input:not([type=radio]), textarea, select");
      if (isTyping && event.key === "Escape") this.viewer.view.focus({ preventScroll: true });
      if (isTyping || event.altKey) return;
      const action = this.#action(event, places);
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  /** What a key means where it is pressed; null if nothing. */
  #action({ key, ctrlKey, metaKey, target }, places) {
    const name = key.length === 1 ? key.toLowerCase() : key;
    if (ctrlKey || metaKey) return name === "z" && this.editing.mayCorrect ? () => this.panel.undo() : null;
    const isFamily = query("#families-panel").contains(target);
    return (isFamily ? this.families : this.editing).action(name) ?? places[name] ?? null;
  }

  get isWhole() {
    return query("#workbench").classList.contains("whole");
  }

  #showWhole(isWhole) {
    query("#workbench").classList.toggle("whole", isWhole);
    query("#whole-page").setAttribute("aria-pressed", isWhole);
  }
}
