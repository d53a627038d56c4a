// Buttons, fields and keys of the trace.

import { onSubmit, query } from "./dom.js";
import { hasTwelve } from "./lead_layout.js";
import { reply } from "./page.js";

const KEYS = {
  ArrowLeft: "previousBeat",
  ArrowRight: "nextBeat",
  "Shift+ArrowLeft": "extendBack",
  "Shift+ArrowRight": "extendForth",
  ",": "markerBack",
  ".": "markerForth",
  PageUp: "back",
  PageDown: "forth",
  "+": "in",
  "=": "in",
  "-": "out",
  Home: "all",
  b: "beat",
  B: "beat",
  Escape: "unmark",
  c: "calipers",
  C: "calipers",
};

/** Connect the controls above the trace with it. */
export function connectControls(viewer) {
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => viewer.do(button.dataset.do));
  }
  viewer.view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isShifted = event.shiftKey && event.key.startsWith("Arrow");
    const action = KEYS[isShifted ? `Shift+${event.key}` : event.key];
    const isOfCalipers = viewer.calipers.key(event.key);
    if (!isOfCalipers && !action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!isOfCalipers) viewer.do(action);
  });
  connectScale(viewer);
  connectJump(viewer);
}

function connectScale(viewer) {
  const form = query("#scale");
  form.addEventListener("change", () => {
    const { speed, gain, layout } = Object.fromEntries(new FormData(form));
    viewer.setScale({ speed: Number(speed) || null, gain: Number(gain) || null, isTwelve: layout === "twelve" });
  });
  viewer.addEventListener("move", () => {
    for (const input of form.querySelectorAll("[name=speed]")) input.checked = Number(input.value) === viewer.scale.speed;
  });
  viewer.addEventListener("load", () => (query("#layout").hidden = !hasTwelve(viewer.signal.leads)));
}

function connectJump(viewer) {
  const field = query("#jump");
  onSubmit("#jump-form", () => {
    const time = viewer.clock.parse(field.value);
    if (time === null) {
      const { clock, duration } = viewer;
      reply(field, `A time from ${clock.moment(0)} to ${clock.moment(duration)}, or as “0:10:00 elapsed”.`, true);
      return;
    }
    reply(field, "");
    viewer.goTo(time);
    viewer.mark(time);
    viewer.view.focus();
  });
}
