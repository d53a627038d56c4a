// Single beats beside what was expected of them, with the difference shaded: 50 mm/s and 20 mm/mV.

import { drawing, element } from "./dom.js";
import { beatKind, countText, moment, rarity } from "./format.js";

const SPEED_MM_S = 50;
const GAIN_MM_MV = 20;
const BEFORE_S = 0.25;
const ROOM_MM = 3;
const HEAVY_MM = 5;

/** A card for {leads, rate_hz, samples, reconstruction}, one list of millivolt per lead, with words below. */
export function card({ leads, rate_hz: rateHz, samples, reconstruction }, words, title) {
  const lanes = leads.map((lead, at) => lane(samples[at], reconstruction[at], lead, rateHz, `${title}, ${lead}`));
  return element("li", {}, element("figure", { class: "beat" }, ...lanes, element("figcaption", {}, ...words)));
}

/** A card for an entry of the gallery: the lead that differs most. */
export function beatCard({ beat, alike, leads, rate_hz, samples, reconstruction, error }) {
  const kind = beatKind(beat);
  const sums = error.map((lead) => lead.reduce((sum, value) => sum + Math.abs(value), 0));
  const lead = sums.indexOf(Math.max(...sums));
  const words = [
    element("strong", { class: kind.colour }, kind.text),
    element("span", { class: "muted" }, `, ${moment(beat.time)}. `),
    beat.reason,
    ...(beat.confidence ? [` Named with less confidence: ${beat.confidence}.`] : []),
    element("span", { class: "muted" }, ` ${rarity(beat.p_value)}`),
    ...(alike > 1 ? [element("span", { class: "muted" }, ` ${countText(alike - 1, "other beat")} of the most abnormal look like it.`)] : []),
  ];
  const picture = { leads: [leads[lead]], rate_hz, samples: [samples[lead]], reconstruction: [reconstruction[lead]] };
  return card(picture, words, `${kind.text} beat at ${moment(beat.time)} and what was expected`);
}

/** A patient's usual beat. */
export function usualCard({ leads, template, beats }, rateHz) {
  const lanes = leads.map((lead, at) => lane(null, template[at], lead, rateHz, `Usual beat, ${lead}`));
  const words = `The usual beat, from ${countText(beats, "beat")}. 50 mm/s, 20 mm/mV.`;
  return element("figure", { class: "beat" }, element("div", { class: "leads" }, ...lanes), element("figcaption", {}, words));
}

function lane(samples, expected, lead, rateHz, label) {
  const both = [...(samples ?? []), ...expected].map((value) => value * GAIN_MM_MV);
  const up = Math.ceil((Math.max(...both) + ROOM_MM) / HEAVY_MM) * HEAVY_MM;
  const down = Math.ceil((ROOM_MM - Math.min(...both)) / HEAVY_MM) * HEAVY_MM;
  const height = up + down;
  const width = Math.floor((((expected.length - 1) / rateHz) * SPEED_MM_S) / HEAVY_MM) * HEAVY_MM;
  const place = (value, at) => `${((at / rateHz) * SPEED_MM_S).toFixed(2)} ${(up - value * GAIN_MM_MV).toFixed(2)}`;
  const beat = samples?.map(place);
  const usual = expected.map(place);
  return drawing(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    drawing("path", { class: "fine", d: grid(width, height, 1) }),
    drawing("path", { class: "heavy", d: grid(width, height, HEAVY_MM) }),
    beat && drawing("polygon", { class: "different", points: [...beat, ...usual.toReversed()].join(" ") }),
    drawing("path", { class: beat ? "usual" : "trace", d: `M${usual.join("L")}` }),
    beat && drawing("path", { class: "trace", d: `M${beat.join("L")}` }),
    drawing("text", { x: 1, y: height - 1.2 }, lead),
    drawing("path", { class: "heavy", d: `M${BEFORE_S * SPEED_MM_S} 0v1.5` }),
  );
}

function grid(width, height, every) {
  const parts = [];
  for (let x = 0; x <= width; x += every) parts.push(`M${x} 0V${height}`);
  for (let y = 0; y <= height; y += every) parts.push(`M0 ${y}H${width}`);
  return parts.join("");
}
