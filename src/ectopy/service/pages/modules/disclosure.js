// Full disclosure: the whole recording in lines of a minute, of which only those in sight are loaded and drawn.

import { get } from "./api.js";
import { tint } from "./canvas.js";
import { element, query } from "./dom.js";
import { beatKind } from "./format.js";
import { label } from "./paper.js";
import { refresh } from "./page.js";
import { colour, onTheme } from "./theme.js";
import { drawEnvelope } from "./trace.js";

const LINE_S = 60;
const ROW = 26; // CSS pixels from line to line
const OVER = 10; // a high beat may reach so far into the neighbouring lines
const LEFT = 52;
const AHEAD = 4; // lines beyond those in sight
const MOST_COLUMNS = 4000;
const MOST_BLOCKS = 60;
const USUAL_HEIGHT = 0.75; // of a line, for the tallest tenth of the columns
const BAR = 2; // CSS pixels
const STEP_S = 5;
const LETTER = "700 9px system-ui, sans-serif";

export class Disclosure {
  constructor(viewer) {
    Object.assign(this, { viewer, lead: 0, events: [], lines: new Map(), blocks: new Map(), perMv: null, onChoose: () => {} });
    this.box = query("#disclosure");
    this.sheet = query(".sheet", this.box);
    this.window = query(".window", this.box);
    this.count = Math.ceil(viewer.duration / LINE_S);
    this.sheet.style.height = `${this.count * ROW}px`;
    this.box.setAttribute("aria-valuemax", Math.round(viewer.duration));
    this.box.addEventListener("scroll", () => this.#fill(), { passive: true });
    new ResizeObserver(() => this.redraw()).observe(this.box);
    onTheme(() => this.redraw());
    viewer.addEventListener("move", () => this.#follow());
    this.#listen();
  }

  /** Offer the leads, and begin with the first. */
  showLeads(names) {
    const choice = query("#disclosure-lead");
    choice.replaceChildren(...names.map((name, lead) => element("option", { value: lead }, name)));
    choice.addEventListener("change", () => {
      this.lead = Number(choice.value);
      this.perMv = null;
      this.reload();
    });
  }

  /** Tint the lines where these events are. */
  showEvents(events) {
    this.events = events;
    this.redraw();
  }

  /** Load everything in sight again. */
  reload() {
    this.blocks.clear();
    this.redraw();
  }

  /** Draw everything in sight again. */
  redraw() {
    for (const canvas of this.lines.values()) canvas.remove();
    this.lines.clear();
    this.#fill();
    this.#follow();
  }

  get #wide() {
    return Math.max(this.sheet.clientWidth - LEFT, 1);
  }

  /** Lines of one request. */
  get #perBlock() {
    return Math.max(Math.floor(MOST_COLUMNS / this.#wide), 1);
  }

  #fill() {
    if (!this.box.clientHeight) return;
    const first = Math.max(Math.floor(this.box.scrollTop / ROW) - AHEAD, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + AHEAD, this.count) - 1;
    for (const [line, canvas] of this.lines) {
      if (line < first || line > last) canvas.remove(), this.lines.delete(line);
    }
    for (let line = first; line <= last; line += 1) {
      if (!this.lines.has(line) && this.#block(line)) this.lines.set(line, this.#line(line));
    }
    this.#loadNext(first, last);
  }

  #block(line) {
    return this.blocks.get(Math.floor(line / this.#perBlock));
  }

  /** Load the first block in sight that is missing, one after the other. */
  #loadNext(first, last) {
    if (this.isLoading) return;
    const perBlock = this.#perBlock;
    for (let block = Math.floor(first / perBlock); block <= Math.floor(last / perBlock); block += 1) {
      if (this.blocks.has(block)) continue;
      this.isLoading = true;
      refresh(() => this.#load(block, perBlock)).finally(() => {
        this.isLoading = false;
        if (this.blocks.has(block)) this.#fill();
      });
      return;
    }
  }

  async #load(block, perBlock) {
    const { blocks, lead } = this;
    const start = block * perBlock * LINE_S;
    const stop = Math.min(start + perBlock * LINE_S, this.viewer.duration);
    const pixels = Math.max(Math.round(((stop - start) / LINE_S) * this.#wide), 1);
    const signal = await get(`${this.viewer.path}/signal?start_s=${start}&stop_s=${stop}&pixels=${pixels}&lead=${lead}`);
    if (perBlock !== this.#perBlock || lead !== this.lead) return;
    const [low, high] = [(signal.samples ?? signal.low)[0], (signal.samples ?? signal.high)[0]];
    this.perMv ??= usualScale(low, high);
    blocks.set(block, { ...signal, low, high });
    while (blocks.size > MOST_BLOCKS) blocks.delete(blocks.keys().next().value);
  }

  #line(line) {
    const canvas = element("canvas", { class: "line" });
    canvas.style.top = `${line * ROW - OVER}px`;
    this.sheet.append(canvas);
    const ratio = devicePixelRatio || 1;
    const width = this.sheet.clientWidth;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round((ROW + 2 * OVER) * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    this.#draw(context, line, this.#block(line));
    return canvas;
  }

  #draw(context, line, { low, high, start_s: begin, step_s: step, beats }) {
    const start = line * LINE_S;
    const stop = Math.min(start + LINE_S, this.viewer.duration);
    const x = (seconds) => LEFT + ((seconds - start) / LINE_S) * this.#wide;
    for (const { start_s: from, end_s: to } of this.events) {
      if (to < start || from > stop) continue;
      const left = x(Math.max(from, start));
      const width = Math.max(x(Math.min(to, stop)) - left, 2);
      // A rhythm of minutes is a bar below, so that what happens in it stands out.
      if (to - from > LINE_S) tint(context, "abnormal", 0.6, left, OVER + ROW - BAR, width, BAR);
      else tint(context, "abnormal", 0.2, left, OVER, width, ROW);
    }
    const [first, last] = [start, stop].map((seconds) => Math.max(Math.round((seconds - begin) / step), 0));
    const [lows, highs] = [low.slice(first, last), high.slice(first, last)];
    const middle = median(lows);
    const y = (value) => OVER + 0.62 * ROW - (value - middle) * this.perMv;
    drawEnvelope(context, lows, highs, (at) => x(begin + (first + at) * step), y, { thickness: 0.8 });
    for (const beat of beats) {
      if (beat.verdict !== "ABNORMAL" || beat.time_s < start || beat.time_s >= stop) continue;
      const { letter, colour: name } = beatKind(beat);
      label(context, letter, x(beat.time_s), OVER + 7, colour(name), LETTER);
    }
    label(context, this.viewer.clock.minute(start), 2, OVER + 0.62 * ROW + 4, colour("muted"), "11px system-ui, sans-serif", "left");
  }

  /** Frame the stretch that the trace shows, and keep it in sight. */
  #follow() {
    const { start, end, clock } = this.viewer;
    const line = Math.floor(start / LINE_S);
    const isLong = end - start > LINE_S;
    const left = isLong ? 0 : ((start - line * LINE_S) / LINE_S) * this.#wide;
    const lines = isLong ? Math.ceil(end / LINE_S) - line : 1;
    const { style } = this.window;
    style.top = `${line * ROW}px`;
    style.left = `${LEFT + left}px`;
    style.width = `${isLong ? this.#wide : Math.min(((end - start) / LINE_S) * this.#wide, this.#wide - left)}px`;
    style.height = `${lines * ROW}px`;
    const top = line * ROW;
    if (top < this.box.scrollTop || top + ROW > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = top - this.box.clientHeight / 2;
    }
    this.box.setAttribute("aria-valuenow", Math.round(start));
    this.box.setAttribute("aria-valuetext", clock.moment(start));
  }

  #listen() {
    const { box, viewer } = this;
    box.addEventListener("click", (event) => {
      const { left, top } = this.sheet.getBoundingClientRect();
      const second = Math.min(Math.max((event.clientX - left - LEFT) / this.#wide, 0), 0.999) * LINE_S;
      this.#goTo(Math.floor((event.clientY - top) / ROW) * LINE_S + second);
      this.onChoose();
    });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(Math.floor(box.clientHeight / ROW) - 1, 1) * LINE_S;
      const middle = viewer.start + viewer.span / 2;
      const to = {
        ArrowUp: middle - LINE_S,
        ArrowDown: middle + LINE_S,
        ArrowLeft: middle - STEP_S,
        ArrowRight: middle + STEP_S,
        PageUp: middle - page,
        PageDown: middle + page,
        Home: 0,
        End: viewer.duration,
      }[event.key];
      if (to === undefined && event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      if (event.key !== "Enter") this.#goTo(to);
      else this.onChoose(), viewer.view.focus();
    });
  }

  #goTo(time) {
    this.viewer.clearSelection();
    this.viewer.goTo(time);
  }
}

/** Pixels per mV with which the tallest tenth of the columns just fits a line. */
function usualScale(low, high) {
  const heights = high.map((value, at) => value - low[at]).filter((height) => height > 0).sort((one, other) => one - other);
  const middle = median(low);
  const reach = high.map((value) => Math.abs(value - middle)).sort((one, other) => one - other);
  const tall = Math.max(heights[Math.floor(0.98 * heights.length)] ?? 1, reach[Math.floor(0.99 * reach.length)] ?? 1, 0.2);
  return (USUAL_HEIGHT * ROW) / tall;
}

function median(values) {
  const sorted = Float32Array.from(values.filter((value) => value !== null)).sort();
  return sorted[sorted.length >> 1] ?? 0;
}
