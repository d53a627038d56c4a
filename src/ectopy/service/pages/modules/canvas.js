// A canvas as sharp as its screen: the drawing counts in CSS pixels.

import { colour, onTheme } from "./theme.js";

const ENDLESS = { top: -Infinity, bottom: Infinity };
const ARROW_PX = 7;

/** Draw now, and whenever the size, the pixels of the screen or the theme change. */
export function fitted(canvas, draw) {
  const fit = () => {
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    const columns = Math.round(width * ratio);
    const rows = Math.round(height * ratio);
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
    }
    const context = canvas.getContext("2d");
    context.setTransform(columns / width, 0, 0, rows / height, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  new ResizeObserver(fit).observe(canvas);
  onTheme(fit);
  const follow = () => {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => (fit(), follow()), {
      once: true,
    });
  };
  follow();
  return fit;
}

/** Draw the path as a line in a colour of the theme. */
export function stroke(context, name, thickness) {
  context.strokeStyle = colour(name);
  context.lineWidth = thickness;
  context.stroke();
}

/** Draw a straight line in a colour of the theme. */
export function drawLine(context, fromX, fromY, toX, toY, name, thickness) {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  stroke(context, name, thickness);
}

/** Tint a rectangle with a colour of the theme, which stays the colour to fill with. */
export function tint(context, name, strength, left, top, width, height) {
  context.fillStyle = colour(name);
  context.globalAlpha = strength;
  context.fillRect(left, top, width, height);
  context.globalAlpha = 1;
}

/** A height within the edges of a trace, {top, bottom}. */
export const within = (y, { top, bottom }) => Math.min(Math.max(y, top), bottom);

/**
 * Add samples to the path; a missing one is a gap, and so is the step back to the left edge.
 *
 * What lies beyond the edges is drawn along them; gives these places, for `drawCuts`.
 */
export function addSamples(context, from, to, sample, place, height, edges = ENDLESS) {
  const cuts = [];
  let previousX = null;
  for (let at = from; at < to; at += 1) {
    const value = sample(at);
    const x = place(at);
    if (value === null || Number.isNaN(value)) {
      previousX = null;
    } else {
      const whole = height(value);
      const y = within(whole, edges);
      if (y !== whole) cuts.push({ x, y, isAbove: whole < y });
      if (previousX === null || x < previousX) context.moveTo(x, y);
      else context.lineTo(x, y);
      previousX = x;
    }
  }
  return cuts;
}

/** Arrowheads at the places where a trace goes on beyond an edge. */
export function drawCuts(context, cuts) {
  if (!cuts.length) return;
  context.beginPath();
  for (const { x, y, isAbove } of cuts) {
    const foot = y + (isAbove ? ARROW_PX : -ARROW_PX);
    context.moveTo(x, y);
    context.lineTo(x + ARROW_PX / 2, foot);
    context.lineTo(x - ARROW_PX / 2, foot);
    context.closePath();
  }
  context.fillStyle = colour("abnormal");
  context.fill();
}
