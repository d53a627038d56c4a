// The trace of a recording: a stretch that moves and zooms, an overview of the whole, and a marker in it.

import { get } from "./api.js";
import { Calipers } from "./calipers.js";
import { fitted } from "./canvas.js";
import { Chart, range } from "./chart.js";
import { query, setText } from "./dom.js";
import { countText, score } from "./format.js";
import { attempt, refresh } from "./page.js";
import { extent, GAIN_MM_MV, MM, SPEED_MM_S, valueRange } from "./paper.js";
import { SignalLoader } from "./signal_loader.js";
import { drawBand, drawEvents, drawMarker, drawStretch, frameBeat, LEFT, MOST_LETTERS, plotOf } from "./trace.js";

const SHORTEST_S = 1;
const STEP = 0.9; // share of what is shown
const ZOOM = 1.6;
const MOST_PIXELS = 1300; // columns for what is shown
const LOAD_MS = 40;
const NEAR_PX = 14; // of a beat that is clicked on
const CLICK_PX = 4;
const MARKER_S = 0.02;
const APART_S = 0.001;
const SAME_S = 0.03; // no two beats are so near

export class Viewer extends EventTarget {
  /** Tells "move" when another stretch is shown, "load" when its signal is there, and "mark" when the marker or the selection changes. */
  constructor(path, clock, leads) {
    super();
    Object.assign(this, { path, clock, leads, duration: clock.duration, start: 0, span: clock.duration });
    this.scale = { speed: SPEED_MM_S, gain: null, isTwelve: false };
    this.loader = new SignalLoader(path, this.duration);
    this.rooms = null;
    this.events = [];
    this.marker = null; // {time_s, beat}: where a beat is added, or the beat that is selected
    this.selection = null; // [from, to] in seconds
    this.isStale = false;
    this.view = query("#view");
    this.overview = new Chart(query("#overview"), { time: (seconds, step) => clock.tick(seconds, step), first: -clock.first });
    this.calipers = new Calipers(this);
    const paint = fitted(query("#signal"), (context, width, height) => this.#draw(context, width, height));
    this.redraw = () => {
      if (this.isStale) return;
      this.isStale = true;
      requestAnimationFrame(() => ((this.isStale = false), paint()));
    };
    new ResizeObserver(() => this.view.clientWidth && this.scale.speed && this.setScale({})).observe(this.view);
    this.#listen();
  }

  async open() {
    this.setScale({});
    await Promise.all([this.#loadTrend(), this.#load()]);
  }

  /** Load everything again, as after a correction; the marker stays on its beat. */
  async reload() {
    await this.open();
    if (!this.marker) return;
    const { time_s: time, beat } = this.marker;
    const same = (other) => (beat ? other.position === beat.position : Math.abs(other.time_s - time) < SAME_S);
    this.#setMarker({ time_s: time, beat: this.signal.beats.find(same) ?? null });
  }

  /** Point out events {kind, start_s, end_s} above the trace. */
  showEvents(events) {
    this.events = events;
    this.redraw();
  }

  async #loadTrend() {
    this.trend = await get(`${this.path}/trend?step_s=${Math.max(this.duration / 400, 1)}`);
    this.ends = range(this.trend.heart_rate_bpm, 50, 110);
    this.#showOverview();
  }

  get signal() {
    return this.loader.signal;
  }

  get end() {
    return this.start + this.span;
  }

  /** Pixels for the signal. */
  get wide() {
    return Math.max(this.view.clientWidth - LEFT, 1);
  }

  /** Show a stretch of any length; it stays within the recording. */
  go(start, span = this.span) {
    if (span !== this.span) this.scale.speed = null;
    this.#place(start, span);
  }

  /** Show this moment in the middle, at the speed of paper if it was too far away to see a beat. */
  goTo(time) {
    if (!this.hasLetters) this.setScale({ speed: SPEED_MM_S });
    this.#place(time - this.span / 2, this.span);
  }

  /** Change speed, gain or layout; the middle stays where it is. */
  setScale(change) {
    Object.assign(this.scale, change);
    const { speed } = this.scale;
    const span = speed ? Math.min(this.wide / (speed * MM), this.duration) : this.span;
    this.#place(this.start + (this.span === this.duration ? 0 : (this.span - span) / 2), span);
  }

  zoom(factor, at = this.start + this.span / 2) {
    const span = Math.min(Math.max(this.span / factor, SHORTEST_S), this.duration);
    this.go(at - ((at - this.start) / this.span) * span, span);
  }

  /** Whether each beat has its letter, and can be selected. */
  get hasLetters() {
    return this.span <= MOST_LETTERS / 2;
  }

  #place(start, span) {
    this.span = Math.min(Math.max(span, Math.min(SHORTEST_S, this.duration)), this.duration);
    this.start = Math.min(Math.max(start, 0), this.duration - this.span);
    this.#showOverview();
    this.redraw();
    this.dispatchEvent(new Event("move"));
    if (this.loader.suffices(this.start, this.span, this.#pixels)) this.#tell();
    else this.#loadSoon();
  }

  get #pixels() {
    return Math.min(Math.round(this.wide * (devicePixelRatio || 1)), MOST_PIXELS);
  }

  #loadSoon() {
    if (this.wait) return;
    this.wait = setTimeout(() => {
      this.wait = 0;
      refresh(() => this.#load());
    }, LOAD_MS);
  }

  async #load() {
    const previous = this.signal;
    const signal = await this.loader.load(this.start, this.span, this.#pixels);
    if (!signal) return;
    const rooms = signal.leads.map((_, lead) => roomOf(signal, lead));
    const isNeighbour = previous && signal.from < previous.to && signal.to > previous.from && this.rooms;
    this.rooms = isNeighbour ? rooms.map((room, lead) => union(this.rooms[lead], room)) : rooms;
    this.waves = (signal.pulses ?? []).map(({ low: lows, high: highs, ...wave }) => {
      return { ...wave, lows, highs, ...valueRange(wave.samples ?? [...lows, ...highs]) };
    });
    this.redraw();
    this.#tell();
    this.dispatchEvent(new Event("load"));
  }

  /** Say in words what is shown. */
  #tell() {
    const { signal, start, end, clock } = this;
    const beats = this.beatsShown();
    const isComplete = signal.beats_there === signal.beats.length;
    const abnormal = beats.filter(({ verdict }) => verdict === "ABNORMAL").length;
    const highest = Math.max(...beats.map(({ score: value }) => value ?? -Infinity));
    const most = Number.isFinite(highest) ? `, highest score ${score(highest)}` : "";
    const place = `${clock.moment(start, 1)} to ${clock.text(end, 1)} of ${clock.lengthText}`;
    const counts = isComplete ? ` · ${countText(beats.length, "beat")}, ${abnormal} abnormal${most}` : "";
    setText(query("#where"), `${place}${counts}${this.#paperText()}`);
  }

  #paperText() {
    const { speed, gain } = this.scale;
    if (this.wide / this.span / (speed ?? SPEED_MM_S) < 1.5) return "";
    return ` · a small square is ${1000 / (speed ?? SPEED_MM_S)} ms and ${1 / (gain ?? GAIN_MM_MV)} mV`;
  }

  /** Beats in the stretch that is shown, as far as they are loaded. */
  beatsShown() {
    return (this.signal?.beats ?? []).filter(({ time_s: time }) => time >= this.start && time <= this.end);
  }

  /** Put the marker at a moment, or on a beat; the stretch follows it. */
  mark(time, beat = null) {
    if (time < this.start || time > this.end) this.goTo(time);
    this.#setMarker({ time_s: Math.min(Math.max(time, 0), this.duration), beat });
  }

  #setMarker(marker) {
    this.marker = marker;
    this.redraw();
    this.dispatchEvent(new Event("mark"));
  }

  /** The beat at a moment, with the number of its family; undefined if there is none. */
  async beatAt(time) {
    const [start, end] = [Math.max(time - APART_S, 0), time + APART_S];
    const [beat] = await get(`${this.path}/beats?start_s=${start}&stop_s=${end}&limit=1`);
    return beat;
  }

  /** Go to the beat at a moment, and put the marker on it. */
  async goToBeat(time, middle = time) {
    this.clearSelection();
    this.goTo(middle);
    this.mark(time);
    const { marker } = this;
    const beat = await this.beatAt(time);
    if (beat && this.marker === marker) this.#setMarker({ time_s: time, beat });
  }

  /** Select a stretch; null selects none. */
  select(stretch) {
    this.selection = stretch && [Math.min(...stretch), Math.max(...stretch)];
    this.redraw();
    this.dispatchEvent(new Event("mark"));
  }

  /** Put the marker on the next or the previous beat, `step` 1 or -1. */
  stepBeat(step, { extend = false } = {}) {
    const from = this.marker?.time_s ?? (step > 0 ? this.start - SAME_S : this.end + SAME_S);
    const beats = this.signal?.beats ?? [];
    const beat = step > 0 ? beats.find(({ time_s: time }) => time > from + SAME_S) : beats.findLast(({ time_s: time }) => time < from - SAME_S);
    if (!beat) return;
    if (extend) this.select([this.selectionAnchor ??= from, beat.time_s]);
    else this.clearSelection();
    this.mark(beat.time_s, beat);
    const margin = this.span / 10;
    if (beat.time_s > this.end - margin || beat.time_s < this.start + margin) this.go(beat.time_s - this.span * (step > 0 ? 0.3 : 0.7));
  }

  /** Take marker and selection away. */
  unmark() {
    this.marker = null;
    this.selectionAnchor = null;
    this.select(null);
  }

  clearSelection() {
    this.selectionAnchor = null;
    if (this.selection) this.select(null);
  }

  /** Move the marker by so many seconds, off the beats. */
  moveMarker(seconds) {
    this.clearSelection();
    this.mark((this.marker?.time_s ?? this.start + this.span / 2) + seconds);
  }

  async nextAbnormal() {
    const middle = this.start + this.span / 2;
    const from = this.hasLetters ? Math.max(middle + 0.05, this.marker?.beat && this.#isShown(this.marker.time_s) ? this.marker.time_s + 0.05 : 0) : this.start;
    const [beat] = await get(`${this.path}/beats?start_s=${from}&verdict=ABNORMAL&limit=1`);
    if (!beat) {
      setText(query("#where"), "No abnormal beat after this.");
      return;
    }
    this.goTo(beat.time_s);
    this.mark(beat.time_s, beat);
  }

  #isShown(time) {
    return time >= this.start && time <= this.end;
  }

  #showOverview() {
    if (!this.trend) return;
    const { time_s: times, step_s: step, heart_rate_bpm: values, ectopic } = this.trend;
    this.overview.show({
      start: 0,
      stop: this.duration,
      ...this.ends,
      lines: [{ times: times.map((time) => time + step / 2), values, colour: "normal", gap_s: 3 * step }],
      bars: [{ times, step, values: ectopic, colour: "abnormal" }],
      window: [this.start, this.end],
    });
  }

  #draw(context, width, height) {
    const { signal, rooms, waves } = this;
    if (!signal) return;
    this.plot = plotOf({ ...this, leads: signal.leads, rooms, waves }, width, height);
    drawStretch(context, this.plot, signal, this.clock);
    drawEvents(context, this.plot, this.events);
    if (this.selection) drawBand(context, this.plot, this.selection, "normal");
    if (this.marker) {
      drawMarker(context, this.plot, this.marker.time_s);
      if (this.marker.beat && this.#isShown(this.marker.time_s)) frameBeat(context, this.plot, this.marker.time_s);
    }
    this.calipers.draw(context, this.plot);
    if (!this.isDrawn) performance.mark("first signal");
    this.isDrawn = true;
  }

  /** What a key or a button asks for; whether it is known. */
  do(action) {
    const actions = {
      back: () => this.go(this.start - STEP * this.span),
      forth: () => this.go(this.start + STEP * this.span),
      in: () => this.zoom(ZOOM),
      out: () => this.zoom(1 / ZOOM),
      all: () => this.go(0, this.duration),
      beat: () => attempt(() => this.nextAbnormal(), query("[data-do=beat]")),
      calipers: () => this.calipers.toggle(),
      unmark: () => this.unmark(),
      previousBeat: () => (this.hasLetters ? this.stepBeat(-1) : actions.back()),
      nextBeat: () => (this.hasLetters ? this.stepBeat(1) : actions.forth()),
      extendBack: () => this.stepBeat(-1, { extend: true }),
      extendForth: () => this.stepBeat(1, { extend: true }),
      markerBack: () => this.moveMarker(-MARKER_S),
      markerForth: () => this.moveMarker(MARKER_S),
    };
    actions[action]();
  }

  #listen() {
    const { view } = this;
    const left = () => view.getBoundingClientRect().left + view.clientLeft;
    const at = (event) => this.start + ((event.clientX - left() - LEFT) / this.wide) * this.span;
    view.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.go(this.start + ((event.deltaX || event.deltaY) / this.wide) * this.span);
        } else {
          this.zoom(Math.exp(-event.deltaY / 300), at(event));
        }
      },
      { passive: false },
    );
    view.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      view.setPointerCapture(event.pointerId);
      this.pressed = { x: event.clientX, time: at(event), kind: this.#dragKind(event) };
      if (this.pressed.kind === "calipers") this.calipers.begin(event.offsetX, event.offsetY);
    });
    view.addEventListener("pointermove", (event) => {
      if (!view.hasPointerCapture(event.pointerId) || !this.pressed) return;
      if (Math.abs(event.clientX - this.pressed.x) >= CLICK_PX) this.pressed.isDrag = true;
      if (!this.pressed.isDrag) return;
      if (this.pressed.kind === "calipers") this.calipers.move(event.offsetX, event.offsetY);
      else if (this.pressed.kind === "select") this.select([this.pressed.time, at(event)]);
      else this.go(this.start + this.pressed.time - at(event));
      view.classList.toggle("dragged", this.pressed.kind === "pan");
    });
    view.addEventListener("pointerup", (event) => {
      view.classList.remove("dragged");
      if (this.pressed && !this.pressed.isDrag && this.pressed.kind !== "calipers") this.#click(at(event));
      this.pressed = null;
    });
    query("#overview").addEventListener("click", (event) => {
      const time = this.overview.timeAt(event.offsetX);
      const span = this.span === this.duration ? this.duration / 20 : this.span;
      this.go(time - span / 2, span);
    });
  }

  #dragKind(event) {
    if (this.calipers.isOn) return "calipers";
    return event.shiftKey ? "select" : "pan";
  }

  /** Mark the beat nearest to a click, or the place itself. */
  #click(time) {
    this.clearSelection();
    const near = (NEAR_PX / this.wide) * this.span;
    const distance = (beat) => Math.abs(beat.time_s - time);
    const beats = this.hasLetters ? this.beatsShown().filter((beat) => distance(beat) <= near) : [];
    const [beat = null] = beats.sort((one, other) => distance(one) - distance(other));
    this.mark(beat?.time_s ?? time, beat);
  }
}

/** Middle of a lead in mV, and the room it needs above and below, mm at 10 mm/mV. */
function roomOf({ samples, low, high }, lead) {
  return extent(samples ? samples[lead] : [...low[lead], ...high[lead]], GAIN_MM_MV);
}

/** Room for both; the middle of the first, so that nothing jumps while one scrolls. */
function union(first, second) {
  const moved = (second.middle - first.middle) * GAIN_MM_MV;
  return { middle: first.middle, up: Math.max(first.up, second.up + moved), down: Math.max(first.down, second.down - moved) };
}
