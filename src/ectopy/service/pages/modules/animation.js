// One animation for all moving drawings of a page, at most 30 frames a second.

const FRAME_MS = 1000 / 30;
const EARLY_MS = 4; // a screen's frames are never quite even

const drawings = new Set();
let last = -Infinity;

/** Call `draw(milliseconds)` in each frame; returns what stops it. */
export function animate(draw) {
  drawings.add(draw);
  if (drawings.size === 1) requestAnimationFrame(drawFrame);
  return () => drawings.delete(draw);
}

function drawFrame(now) {
  if (!drawings.size) return;
  requestAnimationFrame(drawFrame);
  if (now - last < FRAME_MS - EARLY_MS) return;
  last = now;
  for (const draw of drawings) draw(now);
}
