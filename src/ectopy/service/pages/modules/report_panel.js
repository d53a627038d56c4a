// What the report says by hand: its conclusion, its strips, and the log of all corrections.

import { element, onSubmit, query, setText } from "./dom.js";
import { countText, duration, moment } from "./format.js";
import { announce, askToConfirm, attempt, reply } from "./page.js";
import { followWhenStored } from "./report_links.js";

const FILES = {
  "PDF, A4": "report?format=pdf",
  "PDF, Letter": "report?format=pdf&paper=letter",
  "PDF auf Deutsch": "report?format=pdf&language=de",
  CSV: "results?format=csv",
  JSON: "results?format=json",
  "EDF+": "results?format=edf",
  "WFDB .atr": "results?format=atr",
  "ISHNE .ann": "results?format=ann",
  FHIR: "results?format=fhir",
  Corrections: "results?format=corrections",
};

const WORDS = {
  relabel: ({ beats, label }) => `${countText(beats, "beat")} relabelled as ${label}`,
  delete_beats: ({ beats }) => `${countText(beats, "beat")} deleted`,
  add_beat: ({ label }) => `Beat added as ${label}`,
  mark_noise: ({ start_s: start, end_s: end }) => `${duration(end - start)} marked as noise`,
  choose_strip: ({ caption }) => `Strip chosen${caption ? `: ${caption}` : ""}`,
  remove_strip: () => "Strip removed",
  write_conclusion: () => "Conclusion written",
  undo: () => "Undone",
};

const UNWRITTEN = {
  title: "Write the conclusion first?",
  text: "It is not written yet, and would be missing in the report and its files.",
  yes: "Write it",
};

export class ReportPanel {
  constructor(viewer, corrections, mayCorrect) {
    Object.assign(this, { viewer, corrections, mayCorrect, stored: "" });
    this.conclusion = query("#conclusion");
    this.caption = query("#caption");
    this.undoButton = query("#undo");
    for (const node of document.querySelectorAll("#report-panel form, #undo")) node.hidden = !mayCorrect;
    query("#conclusion-text").hidden = mayCorrect;
    const links = Object.entries(FILES).map(([name, address]) => element("a", { href: `${corrections.path}/${address}` }, name));
    for (const link of links) followWhenStored(link, this);
    query("#report-files").replaceChildren(...links.map((link) => element("li", {}, link)));
    onSubmit("#conclusion-form", () => this.writeConclusion());
    onSubmit("#strip-form", () => this.chooseStrip());
    this.conclusion.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.writeConclusion();
    });
    this.undoButton.addEventListener("click", () => this.undo());
    addEventListener("beforeunload", (event) => this.isStored || event.preventDefault()); // the browser asks
    viewer.addEventListener("mark", () => this.#showStretch());
    viewer.addEventListener("move", () => this.#showStretch());
  }

  /** Show the log as the API gives it; what somebody is writing stays. */
  show(log) {
    if (!this.#isWriting) this.conclusion.value = log.conclusion;
    else if (log.conclusion !== this.stored && log.conclusion !== this.conclusion.value) {
      reply(this.conclusion, `Somebody wrote meanwhile: “${log.conclusion}”. What you are writing is still here.`);
    }
    this.stored = log.conclusion;
    setText(query("#conclusion-text"), log.conclusion || "None yet.");
    query("#strips").replaceChildren(...log.strips.map((strip) => this.#strip(strip)));
    query("#log").replaceChildren(...log.entries.toReversed().map((entry) => this.#entry(entry)));
    const superseded = log.superseded.flatMap(({ entries }) => entries);
    query("#superseded").hidden = !superseded.length;
    query("#superseded ol").replaceChildren(...superseded.map((entry) => this.#entry(entry)));
    query("#no-log").hidden = log.entries.length > 0;
    this.undoButton.disabled = !log.entries.some(({ type, undone }) => type !== "undo" && !undone);
    this.#showStretch();
  }

  /** Whether there is a conclusion that is not written yet. */
  get #isWriting() {
    return this.conclusion.value !== this.stored;
  }

  /** Whether all that was corrected and written here is stored. */
  get isStored() {
    return !this.corrections.isSending && !this.#isWriting;
  }

  /**
   * Wait until it is stored, or an error says why it is not; false where somebody would rather go on writing.
   *
   * `showWait` is called with true when an answer is waited for, and with false when it has come.
   */
  async store(showWait) {
    const wait = (answer) => {
      showWait(true);
      return answer.finally(() => showWait(false));
    };
    if (this.corrections.isSending) await wait(this.corrections.settle());
    if (this.#isWriting && !(await askToConfirm(UNWRITTEN))) return false;
    if (this.#isWriting) await wait(this.#sendConclusion());
    return true;
  }

  async writeConclusion() {
    if (await attempt(() => this.#sendConclusion(), this.conclusion)) reply(this.conclusion, "Written.");
  }

  async #sendConclusion() {
    const text = this.conclusion.value;
    const answer = await this.corrections.send({ type: "write_conclusion", text });
    this.stored = text;
    return answer;
  }

  async chooseStrip() {
    const [start, end] = this.#stretch();
    const correction = { type: "choose_strip", start_s: start, end_s: end, caption: this.caption.value };
    if (!(await attempt(() => this.corrections.send(correction), this.caption))) return;
    this.caption.value = "";
    this.viewer.view.focus({ preventScroll: true }); // where keys mean something
    announce("The strip is in the report.");
  }

  async undo() {
    if (await attempt(() => this.#undo(), this.undoButton)) announce("Undone.");
  }

  /** Take back the last correction; if it is somebody else's, only after a question, and never one that came after it was asked. */
  async #undo() {
    try {
      return await this.corrections.undo();
    } catch (error) {
      const entry = error.answer?.entry;
      if (!entry) throw error;
      const { analysis, version } = this.corrections;
      const question = { title: `Undo what ${entry.by} did?`, text: `${this.#words(entry)}. The last change is not yours.`, yes: "Undo it" };
      return (await askToConfirm(question)) && this.corrections.undo(entry.by, { analysis, version });
    }
  }

  /** The stretch that is selected, or else the one that is shown. */
  #stretch() {
    return this.viewer.selection ?? [this.viewer.start, this.viewer.end];
  }

  #showStretch() {
    const [start, end] = this.#stretch();
    const { clock, selection } = this.viewer;
    setText(query("#strip-stretch"), `${clock.moment(start)}, ${duration(end - start)}, ${selection ? "as selected" : "as shown"}`);
  }

  #strip({ start_s: start, end_s: end, caption }) {
    const time = this.viewer.clock.moment(start);
    const go = () => {
      this.viewer.go(start, end - start);
      this.viewer.select([start, end]);
    };
    const take = ({ currentTarget: button }) =>
      attempt(() => this.corrections.send({ type: "remove_strip", start_s: start, end_s: end }), button);
    return element(
      "li",
      {},
      element("button", { type: "button", class: "quiet", click: go }, `${time} ${caption}`),
      this.mayCorrect ? element("button", { type: "button", class: "quiet", "aria-label": `Remove the strip at ${time}`, click: take }, "Remove") : null,
    );
  }

  #words(entry) {
    const text = WORDS[entry.type]?.(entry) ?? entry.type;
    return entry.start_s === undefined ? text : `${text}, ${this.viewer.clock.moment(entry.start_s)}`;
  }

  #entry(entry) {
    return element(
      "li",
      { class: entry.undone ? "undone" : null },
      element("span", {}, this.#words(entry)),
      element("span", { class: "muted small" }, `${entry.by}, ${moment(entry.time)}${entry.undone ? ", undone" : ""}`),
    );
  }
}
