// A canvas as sharp as its screen: the drawing counts in CSS pixels.

import { onTheme } from "./theme.js";

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
