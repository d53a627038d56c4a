// Signing in with a key: typed in, or after # in the address, from where it is taken away at once.

import { signIn } from "./api.js";
import { find } from "./dom.js";
import { attempt, parameter, startOpen } from "./shell.js";

const PREFIX = "#key=";

async function enter(key) {
  if (!(await attempt(() => signIn(key)))) return;
  const next = parameter("next");
  // Only to a page of this server: "//elsewhere" is another one.
  location.replace(/^\/(?![/\\])/.test(next) ? next : "/");
}

startOpen();
find("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(find("#key").value.trim());
});
if (location.hash.startsWith(PREFIX)) {
  const key = decodeURIComponent(location.hash.slice(PREFIX.length));
  history.replaceState(null, "", location.pathname + location.search);
  await enter(key);
}
find("#key").focus();
