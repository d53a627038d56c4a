// Labels that a person gives to beats, with the key and the letter of each.

import { element } from "./dom.js";

export const LABELS = {
  n: ["normal", "N", "Normal"],
  v: ["ventricular", "V", "Ventricular"],
  s: ["supraventricular", "S", "Supraventricular"],
  q: ["other", "Q", "Other"],
  "?": ["unreadable", "?", "Unreadable"],
};

/** A button for each label, which calls `choose(label)`. */
export function labelButtons(choose) {
  return Object.values(LABELS).map(([label, letter, name]) =>
    element("button", { type: "button", title: name, "aria-label": name, "data-label": label, click: () => choose(label) }, letter),
  );
}
