// Links to the report and to files of the results, which show what is stored: they are followed once all is.

import { attempt, reply } from "./page.js";

/** Let a link wait until the work on the page is stored; where it could not be, that is said beside the link. */
export function followWhenStored(link, work) {
  const showWait = (isWaiting) => reply(link, isWaiting ? "Waiting until the correction is stored…" : "");
  const wait = async (event) => {
    if (work.isStored) return;
    event.preventDefault();
    if (link.ariaBusy) return;
    link.ariaBusy = "true";
    const isStored = await attempt(() => work.store(showWait), link);
    link.ariaBusy = null;
    if (isStored) link.dispatchEvent(new MouseEvent(event.type, event)); // with the keys that open another tab
  };
  for (const type of ["click", "auxclick"]) link.addEventListener(type, wait);
}
