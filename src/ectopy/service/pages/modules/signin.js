// Signing in with a key: typed in, or after # in the address, from where it is taken away at once.

import { keyInAddress, signIn } from "./api.js";
import { onSubmit, query } from "./dom.js";
import { attempt, parameter, startOpen } from "./page.js";

async function enter(key) {
  if (!(await attempt(() => signIn(key), query("#key")))) return;
  const next = parameter("next");
  // Only to a page of this server: "//elsewhere" is another one.
  location.replace(/^\/(?![/\\])/.test(next) ? next : "/");
}

startOpen();
onSubmit("#form", () => enter(query("#key").value.trim()));
const key = keyInAddress();
if (key) await enter(key);
query("#key").focus();
