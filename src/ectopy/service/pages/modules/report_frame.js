// The report below the workbench, loaded when it is looked at, and printed.

import { query, setText } from "./dom.js";
import { announce } from "./page.js";

export class ReportFrame {
  constructor(path) {
    this.address = `${path}/report`;
    this.frame = query("#page");
    this.isOld = true;
    this.frame.addEventListener("load", () => this.#fit());
    query("#report-link").href = this.address;
    query("#pdf-link").href = `${this.address}?format=pdf`;
    query("#print").addEventListener("click", () => this.print());
    new IntersectionObserver(([{ isIntersecting }]) => (this.isSeen = isIntersecting) && this.#load()).observe(this.frame);
  }

  /** The report has changed; it is loaded by `reload`, or when it is printed. */
  outdate() {
    this.isOld = true;
  }

  /** Load a report that has changed when it is looked at. */
  reload() {
    if (this.isSeen) this.#load();
  }

  /** Print the report as it is now. */
  async print() {
    const button = query("#print");
    setText(button, "Making the report…");
    announce("The report is being made.");
    await this.#load();
    setText(button, "Print the report");
    this.frame.contentWindow.print();
  }

  async #load() {
    if (!this.isOld) return this.loaded;
    this.isOld = false;
    this.loaded = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true }));
    this.frame.src = this.address;
    return this.loaded;
  }

  /** As high as it is, so that there is one scroll bar. */
  #fit() {
    const { documentElement: root } = this.frame.contentDocument;
    const body = root.querySelector("body");
    if (!body || !this.frame.getAttribute("src")) return;
    const measure = () => (this.frame.style.height = `${root.scrollHeight + this.frame.offsetHeight - this.frame.clientHeight}px`);
    new ResizeObserver(measure).observe(body);
  }
}
