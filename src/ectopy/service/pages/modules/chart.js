// Figures over time on a canvas: lines, dots, a threshold, and marks above.

import { drawLine, fitted, stroke, tint } from "./canvas.js";
import { colour } from "./theme.js";
import { clock } from "./format.js";

const LEFT = 40;
const RIGHT = 10;
const TOP = 22;
const BOTTOM = 22;
const FONT = "11.5px system-ui, sans-serif";
const VALUE_PX = 18; // from value to value, so that none is on another
const TIME_PX = 85;
const MOST_VALUES = 4; // between the ends
const STEPS_S = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

export class Chart {
  /** `time(seconds, step)` writes a moment on the axis; at `first` the time that is written is 0. */
  constructor(canvas, { time = (seconds, step) => clock(seconds, step < 60), first = null } = {}) {
    this.canvas = canvas;
    this.write = time;
    this.first = first;
    this.content = null;
    this.redraw = fitted(canvas, (context, width, height) => this.content && this.#draw(context, width, height));
  }

  /**
   * Show {start, stop, low, high, lines, bars, dots, marks, threshold, window}; times in seconds.
   *
   * A line is {times, values, colour, gap_s}; bars are {times, step, values, colour}, the tallest a third as high as the
   * chart; a dot {time, value, colour, form}; a mark {time, priority}; the window is
   * a stretch that is framed.
   */
  show(content) {
    this.content = content;
    this.redraw();
  }

  /** The moment at a place from the left, CSS pixels. */
  timeAt(x) {
    const { start, stop } = this.content;
    const share = (x - LEFT) / (this.canvas.clientWidth - LEFT - RIGHT);
    return start + Math.min(Math.max(share, 0), 1) * (stop - start);
  }

  #draw(context, width, height) {
    const { start, stop, low, high, lines = [], bars = [], dots = [], marks = [], threshold = null, window = null } = this.content;
    const right = width - RIGHT;
    const bottom = height - BOTTOM;
    const x = (time) => LEFT + ((time - start) / (stop - start)) * (right - LEFT);
    const y = (value) => bottom - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (bottom - TOP);
    context.font = FONT;
    this.#grid(context, { start, stop, low, high }, x, y, right, bottom);
    for (const group of bars) drawBars(context, group, x, bottom, (bottom - TOP) / 3);
    for (const line of lines) this.#line(context, line, x, y);
    if (threshold !== null) {
      context.setLineDash([6, 4]);
      drawLine(context, LEFT, y(threshold), right, y(threshold), "abnormal", 1.25);
      context.setLineDash([]);
    }
    for (const dot of dots) if (dot.time >= start) spot(context, x(dot.time), y(dot.value), dot);
    for (const mark of marks) {
      if (mark.time < start || mark.time > stop) continue;
      drawLine(context, x(mark.time), TOP - 4, x(mark.time), bottom, "muted", 0.75);
      flag(context, x(mark.time), TOP - 9, mark.priority);
    }
    if (window) {
      const from = x(Math.max(window[0], start));
      const boxWidth = Math.max(x(Math.min(window[1], stop)) - from, 2);
      tint(context, "normal", 0.18, from, TOP, boxWidth, bottom - TOP);
      context.strokeStyle = colour("normal");
      context.lineWidth = 1.5;
      context.strokeRect(from, TOP, boxWidth, bottom - TOP);
    }
  }

  #grid(context, { start, stop, low, high }, x, y, right, bottom) {
    const steps = Math.min(Math.max(Math.floor((bottom - TOP) / VALUE_PX), 1), MOST_VALUES);
    const step = nice((high - low) / steps);
    context.fillStyle = colour("muted");
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let value = Math.ceil(low / step) * step; value <= high + step / 100; value += step) {
      drawLine(context, LEFT, y(value), right, y(value), "line", 1);
      context.fillText(String(Number(value.toFixed(2))).replace("-", "−"), LEFT - 6, y(value));
    }
    const most = Math.max(Math.floor((right - LEFT) / TIME_PX), 1);
    const every = STEPS_S.find((candidate) => (stop - start) / candidate <= most) ?? 86400;
    const shift = this.first ?? new Date(start * 1000).getTimezoneOffset() * 60;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (let time = Math.ceil((start - shift) / every) * every + shift; time <= stop; time += every) {
      drawLine(context, x(time), bottom, x(time), bottom + 4, "muted", 1);
      if (x(time) > LEFT + 12 && x(time) < right - 12) context.fillText(this.write(time, every), x(time), bottom + 7);
    }
  }

  #line(context, { times, values, colour: name, gap_s: gap }, x, y) {
    context.beginPath();
    let previous = null;
    for (let at = 0; at < times.length; at += 1) {
      if (values[at] === null) {
        previous = null;
        continue;
      }
      if (previous === null || times[at] - previous > gap) {
        context.moveTo(x(times[at]) - 0.75, y(values[at]));
      }
      context.lineTo(x(times[at]), y(values[at]));
      previous = times[at];
    }
    context.lineJoin = "round";
    stroke(context, name, 1.75);
  }
}

/** Low and high ends of an axis that hold all values and these. */
export function range(values, least, most) {
  let low = least;
  let high = most;
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const step = nice((high - low) / MOST_VALUES);
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step };
}

function nice(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].find((candidate) => candidate * power >= step) * power;
}

function drawBars(context, { times, step, values, colour: name }, x, bottom, tallest) {
  const most = Math.max(...values, 1);
  context.fillStyle = colour(name);
  for (const [at, time] of times.entries()) {
    const height = (values[at] / most) * tallest;
    context.fillRect(x(time), bottom - height, Math.max(x(time + step) - x(time) - 0.5, 1), height);
  }
}

/** A round dot, or a triangle for what is abnormal: not by colour alone. */
function spot(context, x, y, { colour: name, form = "dot" }) {
  context.beginPath();
  if (form === "triangle") {
    context.moveTo(x, y - 4);
    context.lineTo(x + 4, y + 3);
    context.lineTo(x - 4, y + 3);
  } else {
    context.arc(x, y, 1.7, 0, 2 * Math.PI);
  }
  context.fillStyle = colour(name);
  context.fill();
}

/** The form of a priority's sign: octagon, triangle, circle. */
function flag(context, x, y, priority) {
  const corners = { high: 8, medium: 3 }[priority];
  const turn = priority === "high" ? Math.PI / 8 : -Math.PI / 2;
  context.beginPath();
  if (corners) {
    for (let corner = 0; corner < corners; corner += 1) {
      const angle = turn + (2 * Math.PI * corner) / corners;
      context.lineTo(x + 6 * Math.cos(angle), y + 6 * Math.sin(angle));
    }
    context.closePath();
  } else {
    context.arc(x, y, 5, 0, 2 * Math.PI);
  }
  context.fillStyle = colour(priority);
  context.fill();
  stroke(context, "ink", 0.75);
}
