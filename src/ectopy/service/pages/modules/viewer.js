// A whole recording on one screen, down to a beat: an overview, and a stretch of signal that moves and zooms.

import { get } from "./api.js";
import { fitted, stroke } from "./canvas.js";
import { Chart, range } from "./chart.js";
import { query, setText } from "./dom.js";
import { drawBeat, drawPaper, drawTrace, extent, GAIN_MM_MV, label, labelWave, MM, SPEED_MM_S, valueRange, waveHeight } from "./paper.js";
import { colour } from "./theme.js";
import { attempt, refresh } from "./page.js";
import { beatKind, countText, elapsedTime, score } from "./format.js";

const SHORTEST_S = 2;
const BEAT_S = 8;
const STEP = 0.25; // share of what is shown
const ZOOM = 1.6;
const TOP = 22;
const BOTTOM = 20;
const LEAST_PX = 1.5;
const LEFT = 52; // for the names of the leads
const MOST_LETTERS = 120;
const KEYS = { ArrowLeft: "back", ArrowRight: "forth", "+": "in", "=": "in", "-": "out", Home: "all", n: "beat", N: "beat" };

export class Viewer {
  constructor(path, duration) {
    Object.assign(this, { path, duration, start: 0, span: duration, signal: null, waves: [], requestNumber: 0, wait: 0 });
    this.overview = new Chart(query("#overview"), { time: (seconds) => elapsedTime(seconds) });
    this.view = query("#view");
    this.redraw = fitted(query("#signal"), (context, width, height) => this.#draw(context, width, height));
    this.#listen();
  }

  async open() {
    this.trend = await get(`${this.path}/trend?step_s=${Math.max(this.duration / 400, 1)}`);
    this.ends = range(this.trend.heart_rate_bpm, 50, 110);
    await this.#show();
  }

  /** Show a stretch; it stays within the recording. */
  go(start, span) {
    this.span = Math.min(Math.max(span, SHORTEST_S), this.duration);
    this.start = Math.min(Math.max(start, 0), this.duration - this.span);
    this.#mark();
    this.redraw();
    clearTimeout(this.wait);
    this.wait = setTimeout(() => refresh(() => this.#show()), 60);
  }

  zoom(factor, at = this.start + this.span / 2) {
    const span = Math.min(Math.max(this.span / factor, SHORTEST_S), this.duration);
    this.go(at - ((at - this.start) / this.span) * span, span);
  }

  async nextBeat() {
    const middle = this.start + this.span / 2;
    const from = this.span > 2 * BEAT_S ? this.start : middle + 0.05;
    const beats = await get(`${this.path}/beats?start_s=${from}&verdict=ABNORMAL&limit=1`);
    if (beats.length) this.go(beats[0].time_s - BEAT_S / 2, BEAT_S);
    else setText(query("#where"), "No abnormal beat after this.");
  }

  do(action) {
    const actions = {
      back: () => this.go(this.start - STEP * this.span, this.span),
      forth: () => this.go(this.start + STEP * this.span, this.span),
      in: () => this.zoom(ZOOM),
      out: () => this.zoom(1 / ZOOM),
      all: () => this.go(0, this.duration),
      beat: () => attempt(() => this.nextBeat(), query("[data-do=beat]")),
    };
    actions[action]();
  }

  async #show() {
    const requestNumber = (this.requestNumber += 1);
    const pixels = Math.round(Math.max(this.view.clientWidth, 200) * Math.min(devicePixelRatio || 1, 2));
    const search = `start_s=${this.start}&stop_s=${this.start + this.span}&pixels=${pixels}`;
    const signal = await get(`${this.path}/signal?${search}`);
    if (requestNumber !== this.requestNumber) return; // the stretch has moved on meanwhile
    this.signal = signal;
    const { samples, low, high } = signal;
    this.rooms = signal.leads.map((_, lead) => extent(samples ? samples[lead] : [...low[lead], ...high[lead]], GAIN_MM_MV));
    this.waves = (signal.pulses ?? []).map(({ low: lows, high: highs, ...wave }) => {
      return { ...wave, lows, highs, ...valueRange(wave.samples ?? [...lows, ...highs]) };
    });
    this.#mark();
    this.redraw();
    const { beats, beats_there: beatCount } = signal;
    const abnormal = beats.filter(({ verdict }) => verdict === "ABNORMAL").length;
    const kinds = beatCount === beats.length ? `, ${abnormal} abnormal` : "";
    const highest = Math.max(...beats.map(({ score: value }) => value ?? -Infinity));
    const most = Number.isFinite(highest) ? `, highest score ${score(highest)}` : "";
    const paper = this.#paper() >= LEAST_PX ? " · a small square is 40 ms and 0.1 mV" : "";
    const place = `${elapsedTime(this.start, 1)} to ${elapsedTime(this.start + this.span, 1)} of ${elapsedTime(this.duration)}`;
    setText(query("#where"), `${place} · ${countText(beatCount, "beat")}${kinds}${most}${paper}`);
  }

  /** Pixels for the signal. */
  get #wide() {
    return Math.max(this.view.clientWidth - LEFT, 1);
  }

  /** Pixels of a millimetre, at the speed of ECG paper. */
  #paper() {
    return this.#wide / this.span / SPEED_MM_S;
  }

  #mark() {
    const { time_s: times, step_s: step, heart_rate_bpm: values, ectopic } = this.trend;
    const dots = times.flatMap((time, at) =>
      ectopic[at] ? [{ time: time + step / 2, value: this.ends.low, colour: "abnormal", form: "triangle" }] : [],
    );
    this.overview.show({
      start: 0,
      stop: this.duration,
      ...this.ends,
      lines: [{ times: times.map((time) => time + step / 2), values, colour: "normal", gap_s: 3 * step }],
      dots,
      window: [this.start, this.start + this.span],
    });
  }

  #draw(context, width, height) {
    if (!this.signal) return;
    const { start, span, signal, rooms } = this;
    const perSecond = (width - LEFT) / span;
    const x = (seconds) => LEFT + (seconds - start) * perSecond;
    const plotHeight = height - TOP - BOTTOM;
    const lane = plotHeight / (signal.leads.length + this.waves.length);
    const mm = this.#paper();
    const high = Math.min(Math.max(mm, MM), ...rooms.map(({ up, down }) => lane / (up + down)));
    this.#ground(context, width, plotHeight, mm, high);
    for (const [lead, name] of signal.leads.entries()) {
      const top = TOP + lane * lead;
      const { middle: usual, up, down } = rooms[lead];
      const middle = top + (lane * up) / (up + down);
      const y = (value) => Math.min(Math.max(middle - (value - usual) * GAIN_MM_MV * high, top), top + lane);
      if (signal.samples) {
        const samples = signal.samples[lead];
        drawTrace(context, samples, (at) => x(signal.start_s + at * signal.step_s), y);
      } else {
        this.#envelope(context, signal, signal.low[lead], signal.high[lead], x, y);
      }
      label(context, name, 6, middle + 5, colour("ink"), "650 13px system-ui, sans-serif", "left", LEFT - 12);
    }
    for (const [at, wave] of this.waves.entries()) this.#wave(context, wave, TOP + lane * (signal.leads.length + at), lane, x);
    const visibleBeats = signal.beats.filter(({ time_s: time }) => time >= start && time <= start + span);
    if (visibleBeats.length <= MOST_LETTERS) for (const beat of visibleBeats) drawBeat(context, beat, x(beat.time_s), TOP - 7);
    else for (const beat of visibleBeats) this.#tick(context, beat, x(beat.time_s));
    this.#seconds(context, x, height);
  }

  /** A square stays 40 ms and 0.1 mV, whatever its form; of a long stretch there are none. */
  #ground(context, width, plotHeight, mm, high) {
    if (mm >= LEAST_PX) {
      drawPaper(context, LEFT, TOP, width - LEFT, plotHeight, mm, high);
    } else {
      context.fillStyle = colour("paper");
      context.fillRect(LEFT, TOP, width - LEFT, plotHeight);
    }
  }

  /** A pulse wave in a lane of its own, from its lowest to its highest value. */
  #wave(context, wave, top, lane, x) {
    const y = waveHeight(wave, top, lane);
    if (wave.samples) drawTrace(context, wave.samples, (at) => x(wave.start_s + at * wave.step_s), y, "pulse");
    else this.#envelope(context, wave, wave.lows, wave.highs, x, y, "pulse");
    labelWave(context, wave, 6, top, lane, LEFT - 12);
  }

  #envelope(context, { start_s: from, step_s: step }, low, high, x, y, name = "ink") {
    context.beginPath();
    for (let at = 0; at < low.length; at += 1) {
      if (low[at] === null) continue;
      const place = x(from + at * step);
      if (at === 0 || low[at - 1] === null) context.moveTo(place, y(high[at]) - 0.4);
      else context.lineTo(place, y(high[at]) - 0.4);
      context.lineTo(place, y(low[at]) + 0.4);
    }
    context.lineJoin = "bevel";
    stroke(context, name, 0.9);
  }

  #tick(context, beat, x) {
    const { colour: name } = beatKind(beat);
    if (name === "normal") return;
    context.fillStyle = colour(name);
    context.fillRect(x, TOP - 10, 1.25, 8);
  }

  #seconds(context, x, height) {
    const steps = [0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400];
    const every = steps.find((step) => this.span / step <= this.#wide / 90) ?? 21600;
    for (let time = Math.ceil(this.start / every) * every; time <= this.start + this.span; time += every) {
      context.fillStyle = colour("muted");
      context.fillRect(x(time), height - BOTTOM, 1, 4);
      const place = Math.min(Math.max(x(time), LEFT + 24), x(this.start + this.span) - 24);
      label(context, elapsedTime(time, every < 1 ? 1 : 0), place, height - 4, colour("muted"), "11px system-ui, sans-serif");
    }
  }

  #listen() {
    const { view } = this;
    const at = (event) => this.start + ((event.clientX - view.getBoundingClientRect().left - LEFT) / this.#wide) * this.span;
    view.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.go(this.start + ((event.deltaX || event.deltaY) / this.#wide) * this.span, this.span);
        } else {
          this.zoom(Math.exp(-event.deltaY / 300), at(event));
        }
      },
      { passive: false },
    );
    view.addEventListener("keydown", (event) => {
      const action = KEYS[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.do(action);
    });
    view.addEventListener("pointerdown", (event) => {
      view.setPointerCapture(event.pointerId);
      view.classList.add("dragged");
      this.grip = at(event);
    });
    view.addEventListener("pointermove", (event) => {
      if (view.hasPointerCapture(event.pointerId)) this.go(this.start + this.grip - at(event), this.span);
    });
    view.addEventListener("pointerup", () => view.classList.remove("dragged"));
    query("#overview").addEventListener("click", (event) => {
      const time = this.overview.timeAt(event.offsetX);
      const span = this.span === this.duration ? this.duration / 20 : this.span;
      this.go(time - span / 2, span);
    });
    for (const button of document.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this.do(button.dataset.do));
    }
  }
}
