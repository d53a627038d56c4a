// Colours of drawings, from the style sheet; drawings are told when the screen turns light or dark.

const dark = matchMedia("(prefers-color-scheme: dark)");
const cache = new Map();

export function colour(name) {
  if (!cache.has(name)) {
    cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return cache.get(name);
}

export function onTheme(redraw) {
  dark.addEventListener("change", () => {
    cache.clear();
    redraw();
  });
}
