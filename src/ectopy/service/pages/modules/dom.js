// Elements without HTML: what comes from outside is always a text node or an attribute.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes, ...children) {
  return assemble(document.createElement(name), attributes, children);
}

export function drawing(name, attributes, ...children) {
  return assemble(document.createElementNS(SVG, name), attributes, children);
}

export function query(selector, within = document) {
  const node = within.querySelector(selector);
  if (!node) throw new Error(`the page has no ${selector}`);
  return node;
}

/** Call `work` when a form is submitted, instead of sending it. */
export function onSubmit(selector, work) {
  query(selector).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
}

/** Fill a list of terms with [term, text]. */
export function showFacts(selector, entries) {
  query(selector).replaceChildren(...entries.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

/** Change the text only where it differs, so that a screen reader does not repeat it. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put elements in order without moving the one that has the focus, which would lose it. */
export function reorder(parent, nodes) {
  const isOrdered = nodes.length === parent.children.length && nodes.every((node, at) => parent.children[at] === node);
  if (isOrdered) return;
  for (const node of [...parent.children]) if (!nodes.includes(node)) node.remove();
  const focused = nodes.find((node) => node.contains(document.activeElement) && node.parentNode === parent);
  const place = nodes.indexOf(focused);
  for (const [at, node] of nodes.entries()) {
    if (at < place) focused.before(node);
    else if (at !== place) parent.append(node);
  }
}

function assemble(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
