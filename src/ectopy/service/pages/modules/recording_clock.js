// Moments of a recording as people write them: the time of day where its start is known, else the time since its start.

import { duration, elapsedTime } from "./format.js";

const DAY_S = 86_400;
const TIME = /^(?:day\s*(\d+),?\s+)?(\d+):(\d{1,2}(?:\.\d*)?)(?::(\d{1,2}(?:\.\d*)?))?$/i;
const ELAPSED = /^\+\s*|\s*elapsed$/gi;

export class RecordingClock {
  /** `start`: date and time of the first sample in ISO 8601, or null; `duration` in seconds. */
  constructor(start, duration) {
    const [, date, hours, minutes, seconds] = /^([\d-]+)T(\d+):(\d+):(\d+(?:\.\d+)?)/.exec(start ?? "") ?? [];
    this.date = date ?? null;
    this.duration = duration;
    this.first = date ? Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) : 0; // seconds after midnight
  }

  get hasTimeOfDay() {
    return this.date !== null;
  }

  /** Time of day, or time since the start, of a second of the recording. */
  text(seconds, decimals = 0) {
    if (!this.hasTimeOfDay) return elapsedTime(seconds, decimals);
    const time = Number((this.first + Math.max(seconds, 0)).toFixed(decimals)) % DAY_S;
    const two = (value) => String(value).padStart(2, "0");
    const rest = (time % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
    return `${two(Math.floor(time / 3600))}:${two(Math.floor(time / 60) % 60)}:${rest}`;
  }

  /** Without the seconds, for what is a whole minute. */
  minute(seconds) {
    return this.hasTimeOfDay ? this.text(seconds).slice(0, 5) : elapsedTime(seconds);
  }

  /** As it stands on an axis with a tick each `step` seconds. */
  tick(seconds, step) {
    return step < 60 ? this.text(seconds) : this.minute(seconds);
  }

  /** How long the recording is. */
  get lengthText() {
    return elapsedTime(this.duration);
  }

  /** Its start and its length in words. */
  get description() {
    const start = this.hasTimeOfDay ? `${this.date}, ${this.text(0)}` : "start not known";
    return `${start} · ${duration(this.duration)}`;
  }

  /** Day of the recording, the first is 1. */
  day(seconds) {
    return Math.floor((this.first + seconds) / DAY_S) + 1;
  }

  /** The time with its day where there is more than one. */
  moment(seconds, decimals = 0) {
    const hasDays = this.hasTimeOfDay && this.day(this.duration) > 1;
    const rounded = Number(seconds.toFixed(decimals)); // so that its day is that of what is written
    return `${hasDays ? `day ${this.day(rounded)} ` : ""}${this.text(rounded, decimals)}`;
  }

  /**
   * The second of the recording that somebody means; null where it is not a time, or outside.
   *
   * 14:03 and 14:03:20 are times of day, the first such moment of the recording; "day 2 14:03" is on that day;
   * "2:10:00 elapsed" or "+2:10:00" counts from the start, and so does every time where that is not known.
   */
  parse(text) {
    const bare = text.trim().replace(ELAPSED, "");
    const isElapsed = bare !== text.trim() || !this.hasTimeOfDay;
    const [matched, day, first, second, third] = TIME.exec(bare) ?? [];
    if (!matched || (isElapsed && day)) return null;
    let seconds = Number(first) * 3600 + Number(second) * 60 + Number(third ?? 0);
    if (isElapsed) {
      if (third === undefined) seconds /= 60; // minutes and seconds, as it is shown
    } else if (day) {
      seconds += (Number(day) - 1) * DAY_S - this.first;
    } else {
      seconds = (((seconds - this.first) % DAY_S) + DAY_S) % DAY_S;
    }
    return seconds >= 0 && seconds <= this.duration ? seconds : null;
  }
}
