// Colours of drawings, from the style sheet; drawings are told when the screen turns light or dark.

const dark = matchMedia("(prefers-color-scheme: dark)");
const known = new Map();

export function colour(name) {
  if (!known.has(name)) {
    known.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return known.get(name);
}

export function onTheme(redraw) {
  dark.addEventListener("change", () => {
    known.clear();
    redraw();
  });
}
