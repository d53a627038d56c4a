// A list of which one option is chosen by mouse or keyboard.

import { element } from "./dom.js";

const PAGE = 8;

export class ListBox {
  /** `choose(value)` is called for the option that somebody chooses. */
  constructor(node, choose) {
    Object.assign(this, { node, choose, options: [], at: -1 });
    node.setAttribute("role", "listbox");
    node.tabIndex = 0;
    node.addEventListener("keydown", (event) => this.#key(event));
    node.addEventListener("click", ({ target }) => {
      const at = this.options.findIndex((option) => option.node.contains(target));
      if (at >= 0) this.#chooseAt(at);
    });
  }

  /** Show options {value, content: nodes or texts}; the one of the same value as before stays chosen. */
  show(options, isSame = (one, other) => one === other) {
    const before = this.value;
    this.options = options.map(({ value, content }, at) => {
      return { value, node: element("li", { role: "option", id: `${this.node.id}-${at}`, "aria-selected": "false" }, ...content) };
    });
    this.node.replaceChildren(...this.options.map(({ node }) => node));
    this.at = -1;
    this.node.removeAttribute("aria-activedescendant");
    const at = before === undefined ? -1 : this.options.findIndex(({ value }) => isSame(value, before));
    if (at >= 0) this.#mark(at);
  }

  get value() {
    return this.options[this.at]?.value;
  }

  /** Point out the options that `isHere(value)` says; the list scrolls to the first that `isSought(value)`, unless somebody is using it. */
  pointOut(isHere, isSought = isHere) {
    let first = null;
    for (const { value, node } of this.options) {
      const here = isHere(value);
      node.classList.toggle("here", here);
      if (here && isSought(value)) first ??= node;
    }
    if (first && !this.node.contains(document.activeElement)) scrollWithin(this.node, first);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const last = this.options.length - 1;
    const to = {
      ArrowDown: this.at + 1,
      ArrowUp: Math.max(this.at, 1) - 1,
      Home: 0,
      End: last,
      PageDown: this.at + PAGE,
      PageUp: this.at - PAGE,
      Enter: Math.max(this.at, 0),
    }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.#chooseAt(Math.min(Math.max(to, 0), last));
  }

  /** Choose the option of this number, from 0; whether there is one. */
  chooseNumber(at) {
    if (at < this.options.length) this.#chooseAt(at);
    return at < this.options.length;
  }

  #chooseAt(at) {
    this.#mark(at);
    this.choose(this.options[at].value);
  }

  #mark(at) {
    this.options[this.at]?.node.setAttribute("aria-selected", "false");
    this.at = at;
    const { node } = this.options[at];
    node.setAttribute("aria-selected", "true");
    this.node.setAttribute("aria-activedescendant", node.id);
    scrollWithin(this.node, node);
  }
}

/** Scroll a list, and nothing around it. */
function scrollWithin(list, node) {
  const [above, below] = [node.offsetTop - list.offsetTop, node.offsetTop - list.offsetTop + node.offsetHeight];
  if (above < list.scrollTop) list.scrollTop = above;
  else if (below > list.scrollTop + list.clientHeight) list.scrollTop = below - list.clientHeight;
}
