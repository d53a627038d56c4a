// Server-sent events, while the page is looked at; what was missed comes first.

import { get } from "./api.js";

const AGAIN_MS = 2000;

/** Hear the events of an address: `listeners` by name, each with the data of an event; `connection("open" | "lost")`. */
export function hear(address, listeners, connection) {
  let source = null;
  const open = () => {
    const opening = new EventSource(address);
    source = opening;
    for (const [name, listener] of Object.entries(listeners)) opening.addEventListener(name, ({ data }) => listener(JSON.parse(data)));
    opening.onopen = () => connection("open");
    opening.onerror = async () => {
      connection("lost");
      await get("/api/session").catch(() => null); // without a session this leads to the sign-in
      if (opening.readyState !== EventSource.CLOSED) return; // the browser tries again
      setTimeout(() => source === opening && !document.hidden && open(), AGAIN_MS);
    };
  };
  // A browser has six such connections to a server for all its pages.
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (!document.hidden) open();
  });
  open();
}

/** Hear the alarms of a patient: `on.alarm(event)` for each change, and `on.connection("open" | "lost")`. */
export function followAlarms(patient, on) {
  hear(`/api/events?kind=alarm&patient=${encodeURIComponent(patient)}`, { alarm: on.alarm }, on.connection);
}
