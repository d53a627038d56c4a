// The report below the workbench, loaded when it is looked at, and printed.

import { ApiError } from "./api.js";
import { query, setText } from "./dom.js";
import { announce, attempt, refresh } from "./page.js";
import { followWhenStored } from "./report_links.js";

export class ReportFrame {
  /** `work` tells with `isStored` whether the report has all that was done on the page; its `store()` sees to that. */
  constructor(path, work) {
    this.address = `${path}/report`;
    this.work = work;
    this.frame = query("#page");
    this.button = query("#print");
    this.name = this.button.textContent;
    this.isOld = true;
    this.isPrinting = false;
    this.frame.addEventListener("load", () => this.#fit());
    for (const [selector, options] of [
      ["#report-link", ""],
      ["#pdf-link", "?format=pdf"],
    ]) {
      query(selector).href = `${this.address}${options}`;
      followWhenStored(query(selector), work);
    }
    this.button.addEventListener("click", () => this.print());
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.isSeen = isIntersecting;
      this.reload();
    }).observe(this.frame);
  }

  /** The report has changed; it is loaded by `reload`, or when it is printed. */
  outdate() {
    this.isOld = true;
  }

  /** Load a report that has changed when it is looked at. */
  reload() {
    if (this.isSeen) refresh(() => this.#load());
  }

  /** Print the report with all that was done on the page, once that is stored; if it cannot be, say so instead. */
  async print() {
    if (this.isPrinting) return;
    this.isPrinting = true;
    if (await attempt(() => this.#prepare(), this.button)) this.frame.contentWindow.print();
    setText(this.button, this.name);
    this.isPrinting = false;
  }

  /** Load the report as it is now; false where somebody would rather go on writing. */
  async #prepare() {
    do {
      if (!(await this.work.store((isWaiting) => this.#showWait(isWaiting)))) return false;
      this.#say("Making the report…", "The report is being made.");
      await this.#load();
    } while (this.isOld || !this.work.isStored); // corrected meanwhile
    return true;
  }

  #showWait(isWaiting) {
    if (isWaiting) this.#say("Waiting for the correction…", "Waiting until the correction is stored.");
    else setText(this.button, this.name);
  }

  #say(text, announced) {
    setText(this.button, text);
    announce(announced);
  }

  async #load() {
    if (!this.isOld) return this.loaded;
    this.isOld = false;
    this.loaded = this.#arrival().catch((error) => {
      this.isOld = true;
      throw error;
    });
    this.frame.src = this.address;
    return this.loaded;
  }

  /** Wait for a document after the present one, whose own end of loading may still come; an error says that it is not a report. */
  async #arrival() {
    const { frame } = this;
    const { contentDocument: before } = frame;
    do await new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    while (frame.contentDocument === before);
    if (frame.contentDocument?.contentType !== "text/html") throw new ApiError(0, "The report could not be loaded. Try again.");
  }

  /** As high as it is, so that there is one scroll bar; the Tab key skips an empty frame. */
  #fit() {
    const root = this.frame.contentDocument?.documentElement;
    const body = root?.querySelector("body");
    if (!body || !this.frame.getAttribute("src")) return;
    this.frame.tabIndex = 0;
    const measure = () => (this.frame.style.height = `${root.scrollHeight + this.frame.offsetHeight - this.frame.clientHeight}px`);
    new ResizeObserver(measure).observe(body);
  }
}
