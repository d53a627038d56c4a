// The moving trace of a monitor: new samples are drawn at the pen, and a bar before it wipes the old ones.
//
// Samples come in bursts. The pen runs a little behind the newest one, faster the further it is behind, so that it
// moves evenly and is never far from now.

import { drawBeat, drawPaper, drawPulse, label, labelWave, MM, waveHeight } from "./paper.js";
import { addSamples, drawCuts, fitted, stroke } from "./canvas.js";
import { animate } from "./animation.js";
import { colour } from "./theme.js";

const KEPT_S = 90;
const BEHIND_S = 0.5;
const CATCH_UP = 4; // seconds of signal a second, for each second behind
const BAR_PX = 18;
const GUTTER_PX = 64; // left of the trace, for the pulse and the name of each lead; as in the style sheet
const HIGH_PASS_HZ = 0.5;
const MOST_BEATS = 400;
const MIDDLE = 0.58; // of a lane, from its top
const WHOLE_MV = 2; // so high a QRS complex is whole where no scale is stated
const SCALED_S = 10; // of a pulse wave, by which it is scaled
const SHRUNK = 0.4; // of its scale: a pulse wave that is lower is scaled again

/** What the screen's own filter does, for people. */
export const BAND = `from ${HIGH_PASS_HZ} Hz`;

/** The newest samples of some leads, by their position in the stream; NaN where there is none. */
export class Ring {
  constructor(leads, rateHz, { filtered = true } = {}) {
    this.leads = leads;
    this.rateHz = rateHz;
    this.capacity = Math.ceil(KEPT_S * rateHz);
    this.values = leads.map(() => new Float32Array(this.capacity).fill(NaN));
    this.end = null;
    this.start = null;
    this.slow = leads.map(() => NaN);
    this.smoothing = filtered ? 1 - Math.exp((-2 * Math.PI * HIGH_PASS_HZ) / rateHz) : 0;
    this.filtered = filtered;
  }

  /** Samples interleaved by time; `scale` is millivolt per count, and `missing` the count of no sample. */
  push(position, counts, scale, missing) {
    const width = this.leads.length;
    const count = Math.floor(counts.length / width);
    if (this.end === null || position < this.end - this.capacity || position > this.end + this.capacity) {
      this.start = this.end = position;
      for (const values of this.values) values.fill(NaN);
      this.slow.fill(NaN);
    }
    for (; this.end < position; this.end += 1) this.#put(() => NaN);
    for (let at = this.end - position; at < count; at += 1) {
      this.#put((lead) => {
        const value = counts[at * width + lead];
        return value === missing ? NaN : value * scale;
      });
      this.end += 1;
    }
  }

  at(lead, position) {
    return this.values[lead][position % this.capacity];
  }

  get oldest() {
    return Math.max(this.start, this.end - this.capacity);
  }

  #put(value) {
    for (let lead = 0; lead < this.leads.length; lead += 1) {
      const raw = value(lead);
      if (Number.isNaN(raw)) this.slow[lead] = NaN;
      else if (Number.isNaN(this.slow[lead])) this.slow[lead] = raw;
      else this.slow[lead] += this.smoothing * (raw - this.slow[lead]);
      this.values[lead][this.end % this.capacity] = this.filtered ? raw - this.slow[lead] : raw;
    }
  }
}

/** A pulse wave at its own rate and scale, and the position up to which it is on the screen. */
class Wave {
  constructor({ name, unit, rate_hz: rateHz, position }) {
    Object.assign(this, { name, unit, low: 0, high: 0, drawnTo: position });
    this.ring = new Ring([name], rateHz, { filtered: false });
  }

  /** Whether the samples that have come change its scale. */
  push({ position, values }) {
    this.ring.push(position, values, 1, null);
    let [low, high] = [Infinity, -Infinity];
    const from = Math.max(this.ring.oldest, Math.floor(this.ring.end - SCALED_S * this.ring.rateHz));
    for (let at = from; at < this.ring.end; at += 1) {
      const value = this.ring.at(0, at);
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const fits = low >= this.low && high <= this.high && high - low >= SHRUNK * (this.high - this.low);
    if (!(low <= high) || fits) return false;
    const same = low === this.low && high === this.high;
    Object.assign(this, { low, high });
    return !same;
  }
}

export class Sweep {
  /**
   * `paper` is a canvas below the trace for the ECG paper, or null: then a low canvas has a lower gain. At most `most`
   * leads are shown, and below them the pulse waves if `pulses` says so.
   */
  constructor(canvas, { paper = null, most = 12, speed = 25, gain = 10, mm = MM, beats = false, pulses = false } = {}) {
    Object.assign(this, { canvas, most, speed, gain, mm, hasBeats: beats, hasPulses: pulses, scaled: paper !== null });
    this.waves = [];
    this.ring = null;
    this.stream = null;
    this.pen = 0; // position in the stream, between samples
    this.drawnTo = 0; // position up to which the trace is on the screen
    this.last = null;
    this.beats = new Map(); // by position
    this.threshold = null; // of beats that are compared with the patient's own normal
    this.receivedMs = -Infinity; // when the newest samples came, by the clock of the page
    this.redraw = fitted(canvas, (context, width, height) => this.#all(context, width, height));
    this.repaper = paper && fitted(paper, (context, width, height) => this.#paper(context, width, height));
    this.stop = animate((now) => this.#frame(now));
  }

  /** Samples as `live.js` decodes them, which have come just now; or `stored` ones, which are older. */
  push(frame, { stored = false } = {}) {
    const leads = frame.leads.slice(0, this.most);
    const isNew =
      !this.ring ||
      frame.stream !== this.stream ||
      frame.rate_hz !== this.ring.rateHz ||
      frame.leads.join() !== this.ring.leads.join();
    if (isNew) {
      this.ring = new Ring(frame.leads, frame.rate_hz);
      this.stream = frame.stream;
      this.shownLeads = leads;
      this.beats.clear();
      this.waves = [];
      this.pen = this.drawnTo = frame.position;
      this.repaper?.();
    }
    this.ring.push(frame.position, frame.counts, frame.microvolt_per_count / 1000, frame.missing);
    if (this.pen < this.ring.oldest || this.pen > this.ring.end) this.pen = this.drawnTo = this.ring.oldest;
    if (this.hasPulses) this.#pulses(frame.pulses ?? []);
    if (!stored) this.received(0);
    if (isNew) this.redraw();
  }

  #pulses(pulses) {
    let changed = false;
    for (const pulse of pulses) {
      let wave = this.waves.find(({ name }) => name === pulse.name);
      if (!wave || wave.unit !== pulse.unit || wave.ring.rateHz !== pulse.rate_hz) {
        wave = new Wave(pulse);
        this.waves = [...this.waves.filter(({ name }) => name !== pulse.name), wave];
        changed = true;
      }
      changed = wave.push(pulse) || changed;
    }
    if (!changed) return;
    this.repaper?.();
    this.redraw();
  }

  /** The server has got samples so many seconds ago. */
  received(ago_s) {
    this.receivedMs = Math.max(this.receivedMs, performance.now() - 1000 * Math.max(ago_s, 0));
  }

  /** Seconds since the newest samples came; infinite where none have. */
  get silent_s() {
    return (performance.now() - this.receivedMs) / 1000;
  }

  /** A beat with its verdict, to be written above its place. */
  beat(beat) {
    if (!this.ring || this.beats.has(beat.position)) return;
    this.beats.set(beat.position, { ...beat, isDrawn: false });
    if (this.beats.size > MOST_BEATS) this.beats.delete(this.beats.keys().next().value);
  }

  scale({ speed = this.speed, gain = this.gain }) {
    Object.assign(this, { speed, gain });
    this.repaper?.();
    this.redraw();
  }

  #frame(now) {
    const ring = this.ring;
    const elapsed_s = this.last === null ? 0 : (now - this.last) / 1000;
    this.last = now;
    if (!ring || !this.canvas.width) return;
    const behind = (ring.end - this.pen) / ring.rateHz;
    const pace = Math.max(1 + CATCH_UP * (behind - BEHIND_S), 0);
    this.pen = Math.min(this.pen + pace * elapsed_s * ring.rateHz, ring.end);
    const from = this.drawnTo;
    this.drawnTo = Math.floor(this.pen);
    if (this.drawnTo > from) this.#draw(this.canvas.getContext("2d"), from, this.drawnTo);
  }

  #all(context, width, height) {
    this.width = width;
    this.height = height;
    if (!this.ring || this.ring.end === null) return;
    const visible = Math.floor(((width - BAR_PX) / (this.speed * this.mm)) * this.ring.rateHz);
    for (const beat of this.beats.values()) beat.isDrawn = false;
    for (const wave of this.waves) wave.drawnTo = wave.ring.start;
    this.#draw(context, Math.max(this.ring.oldest, this.drawnTo - visible), this.drawnTo);
  }

  #x(position) {
    return ((position / this.ring.rateHz) * this.speed * this.mm) % this.width;
  }

  #draw(context, from, to) {
    const window = (this.width / (this.speed * this.mm)) * this.ring.rateHz;
    from = Math.max(from, Math.ceil(to - window), this.ring.oldest);
    const wipeWidth = ((to - from) / this.ring.rateHz) * this.speed * this.mm;
    this.#wipe(context, this.#x(from), Math.min(wipeWidth, this.width));
    const top = this.hasBeats ? 18 : 0;
    const lane = (this.height - top) / (this.shownLeads.length + this.waves.length);
    const gain = Math.min(this.gain * this.mm, this.scaled ? Infinity : (lane * MIDDLE) / WHOLE_MV);
    context.beginPath();
    const place = (position) => this.#x(position);
    const edges = { top: top + 1, bottom: this.height - 1 };
    const cuts = this.shownLeads.flatMap((_, lead) => {
      const middle = top + lane * (lead + MIDDLE);
      const sample = (position) => this.ring.at(lead, position);
      return addSamples(context, Math.max(from - 1, this.ring.oldest), to, sample, place, (value) => middle - value * gain, edges);
    });
    context.lineJoin = "round";
    stroke(context, "trace", (1.6 * this.mm) / MM);
    drawCuts(context, cuts);
    for (const [at, wave] of this.waves.entries()) {
      this.#drawWave(context, wave, top + lane * (this.shownLeads.length + at), lane, to / this.ring.rateHz);
    }
    if (this.hasBeats) this.#label(context, to, window);
  }

  /** A pulse wave up to a second of the stream; what comes later than its ECG is drawn when it is there. */
  #drawWave(context, wave, upper, lane, to_s) {
    const { ring } = wave;
    const shown_s = (this.width - BAR_PX) / (this.speed * this.mm);
    const to = Math.min(Math.floor(to_s * ring.rateHz), ring.end);
    const from = Math.max(wave.drawnTo - 1, ring.oldest, Math.ceil((to_s - shown_s) * ring.rateHz));
    const place = (position) => ((position / ring.rateHz) * this.speed * this.mm) % this.width;
    context.beginPath();
    addSamples(context, from, to, (position) => ring.at(0, position), place, waveHeight(wave, upper, lane));
    stroke(context, "pulse", context.lineWidth);
    wave.drawnTo = Math.max(wave.drawnTo, to);
  }

  #wipe(context, left, wipeWidth) {
    const right = left + wipeWidth + BAR_PX;
    context.clearRect(left + 2, 0, Math.min(right, this.width) - left - 2, this.height);
    if (right > this.width) context.clearRect(0, 0, Math.min(right - this.width, left), this.height);
  }

  #label(context, to, window) {
    const room = (12 / (this.speed * this.mm)) * this.ring.rateHz;
    const wiped = to - window + ((BAR_PX + 12) / (this.speed * this.mm)) * this.ring.rateHz;
    for (const beat of this.beats.values()) {
      if (beat.isDrawn || beat.position > to - room) continue;
      beat.isDrawn = true;
      if (beat.position > wiped) drawBeat(context, beat, this.#x(beat.position), 14, this.threshold);
    }
  }

  #paper(context, width, height) {
    const top = this.hasBeats ? 18 : 0;
    drawPaper(context, 0, top, width, height - top, this.mm);
    const leads = this.shownLeads ?? [];
    const lane = (height - top) / (leads.length + this.waves.length);
    for (const [at, lead] of leads.entries()) {
      const middle = top + lane * (at + MIDDLE);
      drawPulse(context, 3, middle, this.speed, this.gain, this.mm);
      label(context, lead, 6, middle + 20, colour("ink"), "650 13px system-ui, sans-serif", "left", GUTTER_PX - 8);
    }
    for (const [at, wave] of this.waves.entries()) {
      const upper = top + lane * (leads.length + at);
      labelWave(context, wave, 6, upper, lane, GUTTER_PX - 8);
    }
  }
}
