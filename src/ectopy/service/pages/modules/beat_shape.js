// Drawing of the mean shape of a family of beats, the spread of its members, and one beat over it.

import { addSamples, stroke } from "./canvas.js";
import { label } from "./paper.js";
import { colour } from "./theme.js";

const MARGIN_PX = 3;

/** The mean of one lead, small. */
export function drawShape(context, width, height, mean) {
  const { x, y } = scaleOf([mean], width, height);
  addPath(context, mean, x, y);
  stroke(context, "ink", 1.4);
}

/**
 * The leads side by side: the spread as a band, the mean as a line, and a beat in another colour.
 *
 * `family` has mean_mv, low_mv and high_mv by lead; `beat` the samples of one beat by lead, or null.
 */
export function drawOverlay(context, width, height, leads, family, beat) {
  const room = width / leads.length;
  for (const [lead, name] of leads.entries()) {
    const [mean, low, high] = [family.mean_mv[lead], family.low_mv[lead], family.high_mv[lead]];
    if (mean.every((value) => value === null)) continue;
    const own = beat?.[lead] ?? [];
    const { x, y } = scaleOf([low, high, own], room, height, mean.length);
    context.save();
    context.translate(room * lead, 0);
    drawSpread(context, low, high, x, y);
    addPath(context, mean, x, y);
    stroke(context, "ink", 1.5);
    if (own.length) {
      addPath(context, own, (at) => x((at * mean.length) / own.length), y);
      stroke(context, "abnormal", 1.5);
    }
    label(context, name, 4, 12, colour("muted"), "600 11px system-ui, sans-serif", "left");
    context.restore();
  }
}

function drawSpread(context, low, high, x, y) {
  context.beginPath();
  for (const [at, value] of high.entries()) context.lineTo(x(at), y(value));
  for (let at = low.length - 1; at >= 0; at -= 1) context.lineTo(x(at), y(low[at]));
  context.globalAlpha = 0.25;
  context.fillStyle = colour("normal");
  context.fill();
  context.globalAlpha = 1;
}

function addPath(context, samples, x, y) {
  context.beginPath();
  addSamples(context, 0, samples.length, (at) => samples[at], x, y);
  context.lineJoin = "round";
}

function scaleOf(rows, width, height, length = rows[0].length) {
  const values = rows.flat().filter((value) => value !== null && value !== undefined);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const perMv = (height - 2 * MARGIN_PX) / Math.max(high - low, 0.2);
  const x = (at) => MARGIN_PX + (at / (length - 1)) * (width - 2 * MARGIN_PX);
  return { x, y: (value) => height / 2 - (value - (low + high) / 2) * perMv };
}
