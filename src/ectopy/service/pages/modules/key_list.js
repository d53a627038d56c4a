// The list of keys of the workbench, as a dialog.

import { element, query } from "./dom.js";

const KEYS = [
  ["← →", "Beat before, beat after"],
  ["Shift ← →", "Select a stretch, beat by beat"],
  [", .", "Marker 20 ms back, on"],
  ["Page ↑ ↓", "Move the trace"],
  ["+ − Home", "Zoom in, out, show all"],
  ["B", "Next abnormal beat"],
  ["G", "Go to a time"],
  ["C", "Calipers: arrows move a mark, X takes the other one"],
  ["T E F D", "To the trace, events, families, full disclosure"],
  ["1 … 9", "Family of this number, of which the next key is the label"],
  ["[ ]", "Beat of the family before, after"],
  ["N V S Q ?", "Label of the beat, the stretch or the family: normal, ventricular, supraventricular, other, unreadable"],
  ["A", "Add a beat at the marker"],
  ["Delete", "Delete the beat, or those of the stretch"],
  ["X", "Mark the stretch as noise"],
  ["R", "Choose a strip for the report"],
  ["W", "Write the conclusion; Ctrl Enter stores it"],
  ["Ctrl Z", "Undo"],
  ["P", "Print the report"],
  ["Esc", "Back to the trace; take marker and selection away"],
  ["K", "This list; so does ? with nothing selected"],
];

/** Show the list of keys until it is closed. */
export function showKeys() {
  const rows = KEYS.flatMap(([keys, effect]) => [element("dt", {}, element("kbd", {}, keys)), element("dd", {}, effect)]);
  const dialog = element(
    "dialog",
    { "aria-labelledby": "keys-title" },
    element("h2", { id: "keys-title" }, "Keys"),
    element("dl", { class: "facts keys" }, ...rows),
    element("form", { method: "dialog", class: "row" }, element("button", { class: "first" }, "Close")),
  );
  query("main").append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}
