// Calipers: two marks on the trace, and the time, rate and voltage between them.

import { drawLine, within } from "./canvas.js";
import { figure } from "./format.js";
import { label } from "./paper.js";
import { colour } from "./theme.js";
import { query, setText } from "./dom.js";

const STEP_S = 0.01;
const STEP_MV = 0.05;
const FIRST_SHARES = [0.4, 0.5]; // of what is shown, for marks that are set by keyboard

export class Calipers {
  constructor(viewer) {
    Object.assign(this, { viewer, isOn: false, marks: [], active: 1 });
    this.output = query("#calipers");
  }

  toggle() {
    this.isOn = !this.isOn;
    this.marks = [];
    if (this.isOn) {
      const { start, span, plot } = this.viewer;
      const [cell] = plot.cells;
      this.marks = FIRST_SHARES.map((share) => this.#markAt(start + share * span, cell));
      this.active = 1;
    }
    query("[data-do=calipers]").setAttribute("aria-pressed", this.isOn);
    this.viewer.view.classList.toggle("measured", this.isOn);
    this.#changed();
  }

  /** Begin at a place on the canvas, with both marks there. */
  begin(x, y) {
    const { plot } = this.viewer;
    const cell = plot.cells.find(({ top, height, left, right }) => y >= top && y < top + height && x >= left && x < right) ?? plot.cells[0];
    const mark = { time: plot.time(x), mv: cell.mv(y), lead: cell.lead };
    this.marks = [mark, { ...mark }];
    this.active = 1;
    this.#changed();
  }

  /** Take the second mark to a place on the canvas. */
  move(x, y) {
    const { plot } = this.viewer;
    const [{ lead }] = this.marks;
    const cell = plot.cells.find((candidate) => candidate.lead === lead) ?? plot.cells[0];
    this.marks[1] = { time: plot.time(x), mv: cell.mv(y), lead };
    this.#changed();
  }

  /** Move the active mark, x takes the other one; whether the key meant the calipers. */
  key(name) {
    if (!this.isOn) return false;
    const mark = this.marks[this.active];
    const moves = {
      ArrowLeft: () => this.#moveTo(mark.time - STEP_S),
      ArrowRight: () => this.#moveTo(mark.time + STEP_S),
      ArrowUp: () => (mark.mv += STEP_MV),
      ArrowDown: () => (mark.mv -= STEP_MV),
      x: () => (this.active = 1 - this.active),
      Escape: () => this.toggle(),
    };
    if (!moves[name]) return false;
    moves[name]();
    if (this.isOn) this.#changed();
    return true;
  }

  draw(context, plot) {
    if (!this.isOn || this.marks.length < 2) return;
    const [first, second] = this.marks;
    const cell = plot.cells.find(({ lead }) => lead === first.lead) ?? plot.cells[0];
    for (const [at, mark] of this.marks.entries()) {
      const [x, y, thickness] = [plot.x(mark.time), within(cell.y(mark.mv), cell.edges), at === this.active ? 2 : 1.25];
      drawLine(context, x, plot.top, x, plot.bottom, "pulse", thickness);
      drawLine(context, x - 14, y, x + 14, y, "pulse", thickness);
    }
    const y = cell.top + 14;
    drawLine(context, plot.x(first.time), y + 5, plot.x(second.time), y + 5, "pulse", 1.25);
    const middle = (plot.x(first.time) + plot.x(second.time)) / 2;
    label(context, this.#text(), middle, y, colour("pulse"), "650 13px system-ui, sans-serif");
  }

  /** The active mark at another time, on the trace there. */
  #moveTo(time) {
    const { plot } = this.viewer;
    const { lead } = this.marks[this.active];
    const cell = plot.cells.find((candidate) => candidate.lead === lead) ?? plot.cells[0];
    this.marks[this.active] = this.#markAt(time, cell);
  }

  #markAt(time, { lead }) {
    const { samples, high, start_s: from, step_s: step } = this.viewer.signal;
    const values = (samples ?? high)[lead];
    const at = Math.min(Math.max(Math.round((time - from) / step), 0), values.length - 1);
    return { time, mv: values[at] ?? 0, lead };
  }

  #text() {
    const [first, second] = this.marks;
    const ms = Math.round(Math.abs(second.time - first.time) * 1000);
    const rate = ms ? ` · ${Math.round(60_000 / ms)} bpm` : "";
    return `${ms} ms${rate} · ${figure(second.mv - first.mv, 2)} mV`;
  }

  #changed() {
    setText(this.output, this.isOn ? this.#text() : "");
    this.viewer.redraw();
  }
}
