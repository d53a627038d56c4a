// ECG on its paper: one millimetre is 40 ms and 0.1 mV at 25 mm/s and 10 mm/mV, and every fifth line is heavy.

import { addSamples, drawCuts, fitted, stroke, tint } from "./canvas.js";
import { colour } from "./theme.js";
import { beatKind, clock, figure } from "./format.js";

export const MM = 96 / 25.4; // CSS pixels
export const SPEED_MM_S = 25;
export const GAIN_MM_MV = 10;

const HEAVY_MM = 5;
const FINE_PX = 2.5;
const PULSE_S = 0.2;
const LEFT_MM = 10;
const TOP_MM = 7;
const BOTTOM_MM = 5;
const LANE_MM = [20, 45];
const ROOM_MM = 3;
const PULSE_MM = 20;
const PULSE_SHARE = 0.8; // of a lane, for a pulse wave from its lowest to its highest value

/** Fill a rectangle with ECG paper, `mm` wide and `tall` high; lines that would run together are left out. */
export function drawPaper(context, left, top, width, height, mm = MM, tall = mm) {
  context.fillStyle = colour("paper");
  context.fillRect(left, top, width, height);
  const right = left + width;
  const bottom = top + height;
  const lines = (every, name, thickness, skip) => {
    context.beginPath();
    for (let count = 0; count * every * mm <= width + 0.1; count += 1) {
      const x = left + count * every * mm;
      if (!skip(count)) context.moveTo(x, top), context.lineTo(x, bottom);
    }
    for (let count = 0; count * every * tall <= height + 0.1; count += 1) {
      const y = top + count * every * tall;
      if (!skip(count)) context.moveTo(left, y), context.lineTo(right, y);
    }
    stroke(context, name, thickness);
  };
  if (Math.min(mm, tall) >= FINE_PX) lines(1, "fine", 0.7, (count) => count % HEAVY_MM === 0);
  lines(HEAVY_MM, "heavy", 0.9, () => false);
}

/** The calibration pulse: 1 mV high, 200 ms wide. */
export function drawPulse(context, left, baseline, speed, gain, mm = MM) {
  const width = PULSE_S * speed * mm;
  const height = gain * mm;
  const foot = 1.2 * mm;
  context.beginPath();
  context.moveTo(left, baseline);
  for (const [x, y] of [
    [foot, 0],
    [foot, -height],
    [foot + width, -height],
    [foot + width, 0],
    [2 * foot + width, 0],
  ]) {
    context.lineTo(left + x, baseline + y);
  }
  stroke(context, "ink", 1.2);
}

/** One lead as a line; a missing sample is a gap, and arrowheads say where it goes on beyond its edges. */
export function drawTrace(context, samples, place, height, { name = "ink", thickness = 1.25, edges } = {}) {
  context.beginPath();
  const cuts = addSamples(context, 0, samples.length, (at) => samples[at], place, height, edges);
  context.lineJoin = "round";
  stroke(context, name, thickness);
  drawCuts(context, cuts);
}

/** Vertical place of a value of a pulse wave in its lane, from its lowest to its highest value. */
export function waveHeight({ low, high }, upper, lane) {
  const span = high - low || 1;
  return (value) => upper + lane * (0.5 + PULSE_SHARE * (0.5 - Math.min(Math.max((value - low) / span, 0), 1)));
}

export function label(context, text, x, y, style, font = "600 12px system-ui, sans-serif", align = "center", most = undefined) {
  context.font = font;
  context.textAlign = align;
  context.textBaseline = "alphabetic";
  context.lineWidth = 3;
  context.strokeStyle = colour("paper");
  context.strokeText(text, x, y, most);
  context.fillStyle = style;
  context.fillText(text, x, y, most);
}

/** Name and unit of a pulse wave in its lane, and for a pressure the values at its highest and its lowest point. */
export function labelWave(context, { name, unit, low, high }, x, upper, lane, most = undefined) {
  const write = (text, y, weight) => label(context, text, x, y, colour("pulse"), `${weight}px system-ui, sans-serif`, "left", most);
  write(name, upper + lane / 2 + 2, "650 12");
  if (unit !== "mmHg") return;
  write(unit, upper + lane / 2 + 13, 11);
  if (!(high > low)) return;
  write(figure(high, 0), upper + lane * (0.5 - PULSE_SHARE / 2) + 8, 11);
  write(figure(low, 0), upper + lane * (0.5 + PULSE_SHARE / 2), 11);
}

/** Lowest and highest value of a pulse wave; both 0 where there is none. */
export function valueRange(samples) {
  const values = samples.filter((value) => value !== null);
  return values.length
    ? { low: values.reduce((least, most) => Math.min(least, most)), high: values.reduce((least, most) => Math.max(least, most)) }
    : { low: 0, high: 0 };
}

/** Each beat above its place: the letter, and the colour of its verdict. */
export function drawBeat(context, beat, x, y, threshold = null) {
  const kind = beatKind(beat, threshold);
  label(context, kind.letter, x, y, colour(kind.colour), `${kind.colour === "normal" ? 600 : 800} 13px system-ui, sans-serif`);
}

/**
 * A strip on paper: {rate_hz, start_time, leads, samples in mV}, with beats above and a stretch to look at; below the
 * leads its pulse waves, each at its own scale.
 *
 * The canvas gets the size that the scale asks for.
 */
export function showStrip(canvas, strip, { beats = [], threshold = null, highlight = null, speed = SPEED_MM_S, gain = GAIN_MM_MV } = {}) {
  const count = strip.samples[0]?.length ?? 0;
  const duration = count / strip.rate_hz;
  const lanes = strip.samples.map((samples) => extent(samples, gain));
  const paper = Math.max(Math.ceil((duration * speed) / HEAVY_MM) * HEAVY_MM, HEAVY_MM) + LEFT_MM;
  const waves = (strip.pulses ?? []).map((wave) => ({ ...wave, ...valueRange(wave.samples) }));
  const lanesMm = lanes.reduce((sum, lane) => sum + lane.up + lane.down, 0) + PULSE_MM * waves.length;
  const tall = Math.ceil(lanesMm / HEAVY_MM) * HEAVY_MM;
  canvas.style.width = `${paper * MM}px`;
  canvas.style.height = `${(TOP_MM + tall + BOTTOM_MM) * MM}px`;
  const draw = fitted(canvas, (context, width) => {
    const place = (seconds) => (LEFT_MM + seconds * speed) * MM;
    drawPaper(context, 0, TOP_MM * MM, width, tall * MM);
    if (highlight) {
      const [from, to] = highlight.map((time) => place(Math.min(Math.max(time - strip.start_time, 0), duration)));
      tint(context, "abnormal", 0.12, from, TOP_MM * MM, to - from, tall * MM);
      context.fillRect(from, (TOP_MM - 0.8) * MM, to - from, 0.8 * MM);
    }
    let top = TOP_MM;
    for (const [at, lane] of lanes.entries()) {
      const baseline = (top + lane.up) * MM;
      drawTrace(
        context,
        strip.samples[at],
        (sample) => place(sample / strip.rate_hz),
        (value) => baseline - (value - lane.middle) * gain * MM,
        { edges: { top: TOP_MM * MM, bottom: (TOP_MM + tall) * MM } },
      );
      drawPulse(context, 0.6 * MM, baseline, speed, gain);
      label(context, strip.leads[at], 1 * MM, baseline + 4.4 * MM, colour("ink"), "650 12px system-ui, sans-serif", "left");
      top += lane.up + lane.down;
    }
    for (const wave of waves) {
      const [upper, lane] = [top * MM, PULSE_MM * MM];
      drawTrace(
        context,
        wave.samples,
        (sample) => place(wave.start_time - strip.start_time + sample / wave.rate_hz),
        waveHeight(wave, upper, lane),
        { name: "pulse" },
      );
      labelWave(context, wave, 1 * MM, upper, lane, (LEFT_MM - 1.5) * MM);
      top += PULSE_MM;
    }
    for (const beat of beats) {
      const seconds = beat.time - strip.start_time;
      if (seconds >= 0 && seconds <= duration) drawBeat(context, beat, place(seconds), (TOP_MM - 2) * MM, threshold);
    }
    const ground = (TOP_MM + tall) * MM;
    for (let second = 0; second <= duration; second += 1) {
      const x = place(second);
      context.fillStyle = colour("muted");
      context.fillRect(x, ground, 1, 4);
      const time = strip.start_time + second;
      if (second % 5 === 0) label(context, clock(time), x, ground + 15, colour("muted"), "11px system-ui, sans-serif");
    }
  });
  draw();
  return draw;
}

/** Middle and room of a lead on paper; the middle is the median, for what a device's offset is worth nothing. */
export function extent(samples, gain) {
  const values = Float32Array.from(samples.filter((value) => value !== null && !Number.isNaN(value))).sort();
  if (!values.length) return { middle: 0, up: LANE_MM[0] / 2, down: LANE_MM[0] / 2 };
  const middle = values[values.length >> 1];
  const up = Math.max((values[values.length - 1] - middle) * gain + ROOM_MM, LANE_MM[0] / 2);
  const down = Math.max((middle - values[0]) * gain + ROOM_MM, LANE_MM[0] / 2);
  const most = (other) => Math.max(LANE_MM[1] - other, LANE_MM[1] / 2); // what is high above takes nothing away below
  return { middle, up: Math.min(up, most(down)), down: Math.min(down, most(up)) };
}
