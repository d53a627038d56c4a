// Events as they are stored, while the page is looked at; what was missed comes first.

import { get } from "./api.js";

const AGAIN_MS = 2000;

/** Hear the alarms of a patient: `on.alarm(event)` for each change, and `on.connection("open" | "lost")`. */
export function followAlarms(patient, on) {
  const address = `/api/events?kind=alarm&patient=${encodeURIComponent(patient)}`;
  let source = null;
  const open = () => {
    source = new EventSource(address);
    source.addEventListener("alarm", ({ data }) => on.alarm(JSON.parse(data)));
    source.onopen = () => on.connection("open");
    source.onerror = async () => {
      on.connection("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
      await get("/api/session").catch(() => null);
      setTimeout(open, AGAIN_MS);
    };
  };
  // A browser has six such connections to a server for all its pages.
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (!document.hidden) open();
  });
  open();
}
