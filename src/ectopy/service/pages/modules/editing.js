// Correction of what is selected on the trace: a beat, a stretch, or the place of the marker.

import { element, query, setText } from "./dom.js";
import { beatKind, capitalise, countText, figure, score } from "./format.js";
import { LABELS, labelButtons } from "./beat_labels.js";
import { announce, attempt } from "./page.js";

const NORMAL = "normal";
const BESIDE_S = 0.05; // noise from beat to beat includes both
const NOTHING = "Select a beat with a click or the arrow keys, a stretch with Shift.";

export class Editing {
  constructor(viewer, corrections, mayCorrect) {
    Object.assign(this, { viewer, corrections, mayCorrect });
    this.bar = query("#edit");
    this.buttons = {
      labels: labelButtons((label) => this.relabel(label)),
      delete: this.#button("Delete", () => this.delete()),
      add: this.#button("Add a beat", () => this.add()),
      noise: this.#button("Noise", () => this.markNoise()),
    };
    if (mayCorrect) this.bar.append(...this.buttons.labels, this.buttons.delete, this.buttons.add, this.buttons.noise);
    viewer.addEventListener("mark", () => this.#show());
    this.#show();
  }

  /** Give what is selected another label. */
  relabel(label) {
    const beats = this.#beats();
    return beats && this.#send({ type: "relabel", ...beats, label }, `${this.#what()}: ${label}.`);
  }

  /** Delete what is selected. */
  delete() {
    const beats = this.#beats();
    return beats && this.#send({ type: "delete_beats", ...beats }, `${this.#what()} deleted.`);
  }

  /** Add a normal beat at the marker; its label is given afterwards. */
  add() {
    const { marker, signal } = this.viewer;
    if (!marker || marker.beat) return this.#say("Put the marker where the beat is, with a click or with the keys comma and full stop.");
    const position = Math.round(marker.time_s * signal.sampling_rate_hz);
    return this.#send({ type: "add_beat", position, label: NORMAL }, "Beat added.");
  }

  /** Mark the selected stretch as noise. */
  markNoise() {
    const { selection } = this.viewer;
    if (!selection) return this.#say("Select a stretch: Shift and drag, or Shift and the arrow keys.");
    const [start, end] = [Math.max(selection[0] - BESIDE_S, 0), Math.min(selection[1] + BESIDE_S, this.viewer.duration)];
    return this.#send({ type: "mark_noise", start_s: start, end_s: end }, "Marked as noise.");
  }

  /** What a key means here; null if nothing. */
  action(key) {
    if (!this.mayCorrect) return null;
    if (LABELS[key] && this.#beats()) return () => this.relabel(LABELS[key][0]);
    const actions = { Delete: () => this.delete(), Backspace: () => this.delete(), a: () => this.add(), Insert: () => this.add(), x: () => this.markNoise() };
    return actions[key] ?? null;
  }

  #button(text, work) {
    return element("button", { type: "button", click: work }, text);
  }

  /** The beats that are meant, as the API wants them. */
  #beats() {
    const { selection, marker } = this.viewer;
    if (selection) return { start_s: selection[0], end_s: selection[1] };
    return marker?.beat ? { positions: [marker.beat.position] } : null;
  }

  #what() {
    return this.viewer.selection ? "The beats of the stretch" : `The beat at ${this.viewer.clock.text(this.viewer.marker.time_s, 2)}`;
  }

  #say(text) {
    setText(query("#selected"), text);
    announce(text);
  }

  async #send(correction, text) {
    const answer = await attempt(() => this.corrections.send(correction), this.bar);
    if (answer) announce(text);
  }

  /** Say in words what is selected, and offer what can be done with it. */
  #show() {
    const { selection, marker } = this.viewer;
    setText(query("#selected"), this.#description());
    const hasBeats = Boolean(selection || marker?.beat);
    for (const button of [...this.buttons.labels, this.buttons.delete]) button.disabled = !hasBeats;
    this.buttons.add.disabled = !marker || Boolean(marker.beat);
    this.buttons.noise.disabled = !selection;
    const kind = selection ? null : marker?.beat && beatKind(marker.beat).letter;
    for (const button of this.buttons.labels) button.setAttribute("aria-pressed", button.textContent === kind);
  }

  #description() {
    const { selection, marker, clock } = this.viewer;
    if (selection) {
      const beats = (this.viewer.signal?.beats ?? []).filter(({ time_s: time }) => time >= selection[0] && time <= selection[1]);
      return `${clock.text(selection[0], 2)} to ${clock.text(selection[1], 2)} · ${figure(selection[1] - selection[0], 2)} s · ${countText(beats.length, "beat")}`;
    }
    if (!marker) return NOTHING;
    const { beat } = marker;
    const time = clock.text(marker.time_s, 2);
    if (!beat) return `${time} · no beat here`;
    const interval = beat.interval_s ? ` · RR ${Math.round(1000 * beat.interval_s)} ms, ${Math.round(60 / beat.interval_s)} bpm` : "";
    return `${time} · ${beatKind(beat).text}${interval} · ${beat.reason ? capitalise(beat.reason) : `score ${score(beat.score)}`}`;
  }
}
