// The families of similar beats: their shapes, their beats one after the other, and a beat over the shape of its family.

import { get } from "./api.js";
import { drawOverlay, drawShape } from "./beat_shape.js";
import { fitted } from "./canvas.js";
import { LABELS, labelButtons } from "./beat_labels.js";
import { element, query, setText } from "./dom.js";
import { beatKind, countText, whole } from "./format.js";
import { ListBox } from "./list_box.js";
import { announce, attempt, refresh } from "./page.js";

const BEFORE_SAMPLES = 52; // of a shape, before the fiducial point
const APART_S = 0.001;
const MOST_COLUMNS = 4000;

export class FamilyList {
  constructor(viewer, corrections, mayCorrect) {
    Object.assign(this, { viewer, corrections, mayCorrect, families: [], family: null, beat: null, samples: null, place: null, sought: null });
    this.list = new ListBox(query("#families"), (family) => this.#choose(family));
    this.overlay = fitted(query("#overlay"), (context, width, height) => this.#draw(context, width, height));
    query("#previous-member").addEventListener("click", () => this.step(-1));
    query("#next-member").addEventListener("click", () => this.step(1));
    if (mayCorrect) query("#family-labels").append(...labelButtons((label) => this.relabel(label)));
    viewer.addEventListener("mark", () => this.#link());
  }

  /** Show families as the API gives them, the largest first. */
  show({ analysis, version, sampling_rate_hz: rate, families }) {
    this.rate_hz = rate;
    this.seen = { analysis, version }; // another version numbers its families otherwise
    this.families = families;
    const total = families.reduce((sum, { beats }) => sum + beats, 0);
    const isSame = (one, other) => one.first_s === other.first_s;
    this.list.show(families.map((family) => ({ value: family, content: this.#content(family, total) })), isSame);
    query("#no-families").hidden = families.length > 0;
    this.#select(this.list.value ?? families[0] ?? null);
    this.#link();
  }

  focus() {
    query("#families").focus({ preventScroll: true });
  }

  /** Choose the family of this number, from 1, so that the next key labels it. */
  chooseNumber(number) {
    this.focus();
    if (!this.list.chooseNumber(number - 1)) announce(`There is no family ${number}.`);
  }

  /** Go to the next beat of the family, or to the previous one with -1. */
  step(direction) {
    return attempt(() => this.#step(direction), query("#next-member"));
  }

  /** Give all beats of the family another label. */
  async relabel(label) {
    if (!this.family) return;
    const { family: number, beats } = this.family;
    const correction = { type: "relabel", family: number, label };
    const answer = await attempt(() => this.corrections.send(correction, this.seen), query("#family-labels"));
    if (answer) announce(`${countText(beats, "beat")} relabelled as ${label}.`);
  }

  /** What a key means in the list; null if nothing. */
  action(key) {
    return this.mayCorrect && LABELS[key] ? () => this.relabel(LABELS[key][0]) : null;
  }

  #content(family, total) {
    const { letter, colour, text } = kindOf(family);
    const canvas = element("canvas", { class: "shape", role: "presentation" });
    fitted(canvas, (context, width, height) => drawShape(context, width, height, readable(family.mean_mv)));
    return [
      canvas,
      element("span", { class: `letter ${colour}` }, letter),
      element("span", {}, element("strong", {}, text), element("br"), `${whole(family.beats)} · ${share(family.beats, total)}`),
    ];
  }

  /** Go to the first beat of a family; until it is there, no late answer about another one counts. */
  async #choose(family) {
    this.#select(family);
    this.place = null;
    this.sought = family;
    await this.step(1);
    if (this.sought === family) this.sought = null;
  }

  #select(family) {
    this.family = family;
    const text = family && `Family ${family.family} · ${countText(family.beats, "beat")} · ${this.viewer.clock.moment(family.first_s)} to ${this.viewer.clock.moment(family.last_s)}`;
    setText(query("#family-facts"), text ?? "");
    this.overlay();
  }

  async #step(direction) {
    if (!this.family) return;
    const { viewer, family } = this;
    const isThere = this.place?.family === family.family;
    const from = isThere ? this.place.time_s : direction > 0 ? -1 : viewer.duration;
    const place = direction > 0 ? `start_s=${Math.max(from + APART_S, 0)}` : `stop_s=${Math.max(from - APART_S, 0)}&backwards=true`;
    const { times_s: times } = await get(`${viewer.path}/families/${family.family}/beats?limit=1&${place}`);
    if (this.sought && this.sought !== family) return;
    if (!times.length) return announce(`No ${direction > 0 ? "later" : "earlier"} beat of this family.`);
    this.place = { family: family.family, time_s: times[0] };
    await viewer.goToBeat(times[0]);
  }

  /** Show the family of the beat that is marked on the trace. */
  #link() {
    const { marker } = this.viewer;
    const beat = marker?.beat;
    if (!beat || beat.position === this.beat?.position) return this.overlay();
    refresh(async () => {
      const complete = beat.family === undefined ? await this.viewer.beatAt(beat.time_s) : beat;
      const samples = complete && (await this.#samplesOf(complete));
      if (this.viewer.marker?.beat !== beat || !complete) return;
      if (this.sought && this.sought.family !== complete.family) return;
      Object.assign(this, { beat: complete, samples, place: complete });
      const family = this.families.find(({ family: number }) => number === complete.family);
      if (family) this.#select(family);
      this.list.pointOut((value) => value === family);
      this.overlay();
    });
  }

  #draw(context, width, height) {
    if (!this.family) return;
    const isMember = this.beat?.family === this.family.family;
    drawOverlay(context, width, height, this.viewer.leads, this.family, isMember ? this.samples : null);
  }

  /** Samples of a beat by lead, as long as the shape of a family, each around its median. */
  async #samplesOf({ time_s: time }) {
    if (!this.families.length) return null;
    const start = Math.max(time - BEFORE_SAMPLES / this.rate_hz, 0);
    const end = start + this.families[0].mean_mv[0].length / this.rate_hz;
    const { samples } = await get(`${this.viewer.path}/signal?start_s=${start}&stop_s=${end}&pixels=${MOST_COLUMNS}`);
    return samples?.map(centred) ?? null;
  }
}

const kindOf = ({ hint }) => beatKind({ hint, verdict: "NORMAL" });

/** The first lead that has a readable beat. */
const readable = (mean) => mean.find((lead) => lead.some((value) => value !== null)) ?? mean[0];

function share(count, total) {
  const percent = (100 * count) / total;
  return percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}

function centred(samples) {
  const values = samples.filter((value) => value !== null).sort((one, other) => one - other);
  const middle = values[values.length >> 1] ?? 0;
  return samples.map((value) => (value === null ? null : value - middle));
}
