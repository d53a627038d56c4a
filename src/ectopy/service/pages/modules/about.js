// What Ectopy is not, its version, and the card of the detector.

import { get } from "./api.js";
import { element, query, showFacts } from "./dom.js";
import { refresh, start } from "./page.js";
import { capitalise } from "./format.js";

function text(value) {
  if (value === null) return "–";
  if (Array.isArray(value)) return value.map(text).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, item]) => `${name} ${text(item)}`).join(", ");
  return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
}

await start();
const about = await refresh(() => get("/api/about"));
if (about) {
  const { sha256, model_card: card } = about.bundle;
  query("#statements").replaceChildren(...about.statements.map((statement) => element("li", {}, statement)));
  showFacts("#versions", [
    ["Ectopy", about.version],
    ["Bundle of the detector, SHA-256", sha256],
  ]);
  const figures = Object.entries(card).filter(([name]) => name !== "curve");
  showFacts("#card", figures.map(([name, value]) => [capitalise(name.replaceAll("_", " ")), text(value)]));
}
