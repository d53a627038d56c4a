// The signal around what is shown: as much again on each side, so that it can be scrolled while the next is loaded.

import { get } from "./api.js";

const MARGIN = 1; // spans on each side
const RELOAD = 0.4; // of a span that must be left on each side
const MOST_COLUMNS = 4000;

export class SignalLoader {
  /** `path` of the recording; `duration` in seconds. */
  constructor(path, duration) {
    Object.assign(this, { path, duration, signal: null, requestNumber: 0, isLoading: false });
  }

  /** Whether the loaded signal is as fine as asked for, and reaches far enough beyond what is shown. */
  suffices(start, span, pixels) {
    const { signal } = this;
    if (!signal) return false;
    const end = Math.min(start + span, this.duration);
    const covers = (from, to) => signal.from <= Math.max(from, 0) && signal.to >= Math.min(to, this.duration);
    const isFine = Boolean(signal.samples) || signal.step_s <= (1.6 * span) / pixels;
    return isFine && covers(start - RELOAD * span, end + RELOAD * span);
  }

  /** Load what is shown with its margins; null where something else has been asked for meanwhile. */
  async load(start, span, pixels) {
    const requestNumber = (this.requestNumber += 1);
    const from = Math.max(start - MARGIN * span, 0);
    const to = Math.min(start + (1 + MARGIN) * span, this.duration);
    const columns = Math.min(Math.ceil((pixels * (to - from)) / span), MOST_COLUMNS);
    const signal = await get(`${this.path}/signal?start_s=${from}&stop_s=${to}&pixels=${columns}`);
    if (requestNumber !== this.requestNumber) return null;
    this.signal = { ...signal, from, to };
    return this.signal;
  }
}
