// Panels of which one is shown; the arrow keys lead from tab to tab.

export class Tabs {
  constructor(list) {
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    for (const [at, tab] of this.tabs.entries()) {
      tab.addEventListener("click", () => this.show(tab.id));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
        this.show(next.id);
        next.focus();
      });
    }
    this.show(this.tabs[0].id);
  }

  /** Show the panel of the tab with this id. */
  show(id) {
    for (const tab of this.tabs) {
      const isShown = tab.id === id;
      tab.setAttribute("aria-selected", isShown);
      tab.tabIndex = isShown ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isShown;
    }
  }
}
