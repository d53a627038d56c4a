// Elements without HTML: what comes from outside is always a text node or an attribute.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawing(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

export function find(selector, within = document) {
  const found = within.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Change the text only where it differs, so that a screen reader is not told the same again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put elements in order without moving the one that has the focus, which would lose it. */
export function arrange(parent, wanted) {
  const same = wanted.length === parent.children.length && wanted.every((node, at) => parent.children[at] === node);
  if (same) return;
  for (const node of [...parent.children]) if (!wanted.includes(node)) node.remove();
  const fixed = wanted.find((node) => node.contains(document.activeElement) && node.parentNode === parent);
  const place = wanted.indexOf(fixed);
  for (const [at, node] of wanted.entries()) {
    if (at < place) fixed.before(node);
    else if (at !== place) parent.append(node);
  }
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
