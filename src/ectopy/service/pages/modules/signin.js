// Signing in with a key: typed in, or after # in the address, from where it is taken away at once.

import { keyInAddress, signIn } from "./api.js";
import { find } from "./dom.js";
import { attempt, parameter, startOpen } from "./shell.js";

async function enter(key) {
  if (!(await attempt(() => signIn(key), find("#key")))) return;
  const next = parameter("next");
  // Only to a page of this server: "//elsewhere" is another one.
  location.replace(/^\/(?![/\\])/.test(next) ? next : "/");
}

startOpen();
find("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(find("#key").value.trim());
});
const given = keyInAddress();
if (given) await enter(given);
find("#key").focus();
