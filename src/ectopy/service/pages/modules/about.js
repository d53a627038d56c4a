// What Ectopy is not, its version, and the card of the detector.

import { get } from "./api.js";
import { element, find } from "./dom.js";
import { refresh, start } from "./shell.js";
import { capital } from "./words.js";

function facts(place, entries) {
  find(place).replaceChildren(...entries.flatMap(([word, value]) => [element("dt", {}, capital(word.replaceAll("_", " "))), element("dd", {}, text(value))]));
}

function text(value) {
  if (value === null) return "–";
  if (Array.isArray(value)) return value.map(text).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name} ${text(one)}`).join(", ");
  return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
}

await start();
const about = await refresh(() => get("/api/about"));
if (about) {
  const { sha256, model_card: card } = about.bundle;
  find("#statements").replaceChildren(...about.statements.map((statement) => element("li", {}, statement)));
  facts("#versions", [
    ["Ectopy", about.version],
    ["Bundle of the detector, SHA-256", sha256],
  ]);
  facts("#card", Object.entries(card).filter(([name]) => name !== "curve"));
}
