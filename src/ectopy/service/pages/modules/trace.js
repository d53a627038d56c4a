// Drawing of a stretch of a recording: its leads on ECG paper, its pulse waves, its beats, events and times.

import { drawLine, tint } from "./canvas.js";
import { beatKind, capitalise } from "./format.js";
import { lanes, twelve } from "./lead_layout.js";
import { drawBeat, drawPaper, drawTrace, GAIN_MM_MV, label, labelWave, MM, SPEED_MM_S, waveHeight } from "./paper.js";
import { colour } from "./theme.js";

export const LEFT = 52; // for the names of the leads
const TOP = 36;
const EVENT_TOP = 3;
const EVENT_HEIGHT = 14;
const BOTTOM = 20;
const LEAST_PX = 1.5; // of a millimetre, for paper to be drawn
export const MOST_LETTERS = 120;
const STEPS_S = [0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400];
const LONGEST_STEP_S = 21_600;
const STEP_PX = 90;
const SMALL = "11px system-ui, sans-serif";
const NAME = "650 13px system-ui, sans-serif";

/**
 * Where everything is on a canvas of this size.
 *
 * `scale` is {speed, gain, isTwelve}: mm/s, or null for a stretch of any length; mm/mV, or null for what fits. `rooms` has
 * for each lead its middle in mV and the room that it needs in mm at 10 mm/mV.
 */
export function plotOf({ start, span, scale, rooms, leads, waves }, width, height) {
  const perSecond = (width - LEFT) / span;
  const plotHeight = height - TOP - BOTTOM;
  const count = leads.length + waves.length;
  const signalHeight = (plotHeight * leads.length) / count;
  const cells = (scale.isTwelve ? twelve : lanes)(leads, TOP, signalHeight);
  const mm = perSecond / (scale.speed ?? SPEED_MM_S);
  const needed = ({ up, down }) => up + down;
  const tall = scale.gain ? MM : Math.min(Math.max(mm, MM), ...cells.map((cell) => cell.height / needed(rooms[cell.lead])));
  const perMv = (scale.gain ?? GAIN_MM_MV) * tall;
  const x = (seconds) => LEFT + (seconds - start) * perSecond;
  return {
    start,
    span,
    width,
    top: TOP,
    bottom: height - BOTTOM,
    height,
    mm,
    tall,
    perMv,
    hasPaper: mm >= LEAST_PX,
    x,
    time: (place) => start + (place - LEFT) / perSecond,
    cells: cells.map((cell) => {
      // At the scale that fits each lead keeps to its place; at one that is chosen it may cross others, as on paper.
      const edges = scale.gain ? { top: TOP, bottom: height - BOTTOM } : { top: cell.top, bottom: cell.top + cell.height };
      return cellOf(cell, rooms[cell.lead], perMv, edges, x, { start, span });
    }),
    waves: waves.map((wave, at) => ({ ...wave, top: TOP + signalHeight + at * (plotHeight / count), lane: plotHeight / count })),
  };
}

function cellOf(cell, { middle, up, down }, perMv, edges, x, { start, span }) {
  const baseline = cell.top + (cell.height * up) / (up + down);
  return {
    ...cell,
    baseline,
    edges,
    left: x(start + cell.from * span),
    right: x(start + cell.to * span),
    y: (value) => baseline - (value - middle) * perMv,
    mv: (y) => middle + (baseline - y) / perMv,
  };
}

/** Draw the stretch of a plot: its signal, its beats with the letters above, and the times below. */
export function drawStretch(context, plot, signal, clock) {
  drawGround(context, plot);
  context.save();
  context.beginPath();
  context.rect(LEFT, plot.top, plot.width - LEFT, plot.bottom - plot.top);
  context.clip();
  for (const cell of plot.cells) drawCell(context, plot, cell, signal);
  for (const wave of plot.waves) drawWave(context, plot, wave);
  context.restore();
  for (const cell of plot.cells) nameCell(context, cell, signal.leads[cell.lead]);
  for (const wave of plot.waves) labelWave(context, wave, 6, wave.top, wave.lane, LEFT - 12);
  drawBeats(context, plot, signal.beats);
  drawTimes(context, plot, clock);
}

/** A bar with a title above the stretch for each event in it; titles stand beside each other. */
export function drawEvents(context, plot, events) {
  let free = 0;
  for (const { start_s: from, end_s: to, kind } of events.toSorted((one, other) => one.start_s - other.start_s)) {
    const left = Math.max(plot.x(from), LEFT);
    const right = Math.min(plot.x(to), plot.width);
    if (right <= LEFT || left >= plot.width) continue;
    tint(context, "abnormal", 0.16, left, EVENT_TOP, Math.max(right - left, 3), EVENT_HEIGHT);
    context.fillRect(left, EVENT_TOP + EVENT_HEIGHT, Math.max(right - left, 3), 2);
    const at = Math.max(left + 4, free);
    if (at > Math.max(right, left + 4)) continue;
    label(context, capitalise(kind), at, EVENT_TOP + 11, colour("ink"), SMALL, "left");
    free = at + context.measureText(capitalise(kind)).width + 10;
  }
}

/** A stretch of time, tinted. */
export function drawBand(context, plot, [from, to], name, strength = 0.14) {
  const left = Math.max(plot.x(from), LEFT);
  const right = Math.min(plot.x(to), plot.width);
  if (right <= left) return;
  tint(context, name, strength, left, plot.top, right - left, plot.bottom - plot.top);
}

/** A line from top to bottom at a moment, with its foot at the beats. */
export function drawMarker(context, plot, time, name = "normal", thickness = 1.5) {
  const x = plot.x(time);
  if (x < LEFT || x > plot.width) return;
  drawLine(context, x, plot.top - 2, x, plot.bottom, name, thickness);
}

/** A frame around the letter of a beat. */
export function frameBeat(context, plot, time, name = "normal") {
  context.strokeStyle = colour(name);
  context.lineWidth = 2;
  context.strokeRect(plot.x(time) - 8.5, plot.top - 17.5, 17, 16);
}

/** A square stays 1 mm of paper, whatever its form; of a long stretch there are none. */
function drawGround(context, { width, top, bottom, mm, tall, hasPaper }) {
  if (hasPaper) {
    drawPaper(context, LEFT, top, width - LEFT, bottom - top, mm, tall);
  } else {
    context.fillStyle = colour("paper");
    context.fillRect(LEFT, top, width - LEFT, bottom - top);
  }
}

function drawCell(context, plot, cell, signal) {
  const { start_s: from, step_s: step } = signal;
  const [first, last] = columns(plot, cell, signal);
  const x = (at) => plot.x(from + (first + at) * step);
  const { edges } = cell;
  if (signal.samples) drawTrace(context, signal.samples[cell.lead].slice(first, last), x, cell.y, { edges });
  else drawEnvelope(context, signal.low[cell.lead].slice(first, last), signal.high[cell.lead].slice(first, last), x, cell.y, { edges });
  if (cell.from > 0) drawLine(context, cell.left, cell.top + 8, cell.left, cell.top + cell.height - 8, "muted", 1);
}

/** Columns of the signal that a cell shows. */
function columns({ start, span }, { from, to }, { start_s: begin, step_s: step, samples, low }) {
  const length = (samples ?? low)[0].length;
  const at = (share) => (start + share * span - begin) / step;
  return [Math.max(Math.floor(at(from)), 0), Math.min(Math.ceil(at(to)) + 1, length)];
}

/** A pulse wave in a lane of its own, from its lowest to its highest value. */
function drawWave(context, plot, wave) {
  const y = waveHeight(wave, wave.top, wave.lane);
  const x = (at) => plot.x(wave.start_s + at * wave.step_s);
  if (wave.samples) drawTrace(context, wave.samples, x, y, { name: "pulse" });
  else drawEnvelope(context, wave.lows, wave.highs, x, y, { name: "pulse" });
}

/** Lowest and highest value of each column as one line. */
export function drawEnvelope(context, low, high, x, y, options = {}) {
  const both = low.flatMap((value, at) => [high[at], value]);
  drawTrace(context, both, (at) => x(at >> 1), y, { thickness: 0.9, ...options });
}

function nameCell(context, cell, name) {
  if (cell.from > 0) label(context, name, cell.left + 5, cell.top + 14, colour("ink"), NAME, "left");
  else label(context, name, 6, cell.baseline + 5, colour("ink"), NAME, "left", LEFT - 12);
}

function drawBeats(context, plot, beats) {
  const visible = beats.filter(({ time_s: time }) => time >= plot.start && time <= plot.start + plot.span);
  if (visible.length <= MOST_LETTERS) for (const beat of visible) drawBeat(context, beat, plot.x(beat.time_s), plot.top - 5);
  else for (const beat of visible) drawTick(context, plot, beat);
}

function drawTick(context, plot, beat) {
  const { colour: name } = beatKind(beat);
  if (name === "normal") return;
  context.fillStyle = colour(name);
  context.fillRect(plot.x(beat.time_s), plot.top - 10, 1.25, 8);
}

function drawTimes(context, { start, span, width, bottom, height, x }, clock) {
  const every = STEPS_S.find((step) => span / step <= (width - LEFT) / STEP_PX) ?? LONGEST_STEP_S;
  const shift = clock.first % every; // whole seconds, minutes and hours of the clock
  for (let time = Math.ceil((start + shift) / every) * every - shift; time <= start + span; time += every) {
    if (time < 0) continue;
    context.fillStyle = colour("muted");
    context.fillRect(x(time), bottom, 1, 4);
    const place = Math.min(Math.max(x(time), LEFT + 26), width - 26);
    label(context, clock.text(time, every < 1 ? 1 : 0), place, height - 4, colour("muted"), SMALL);
  }
}
