// Figures, times and states as people read them.

export const NOTHING = "–";

const MINUS = "−";
const KINDS = {
  "ventricular-like": ["V", "abnormal", "Ventricular-like"],
  "supraventricular-like": ["S", "abnormal", "Supraventricular-like"],
  other: ["Q", "abnormal", "Abnormal"],
  UNREADABLE: ["?", "unreadable", "Unreadable"],
  NORMAL: ["N", "normal", "Normal"],
};
const STATES = {
  learning: ["Learning what is normal", "muted"],
  normal: ["Normal rhythm", "normal"],
  abnormal: ["Abnormal beats", "abnormal"],
  unreadable: ["Signal not readable", "unreadable"],
  "no data": ["No data", "unreadable"],
  alarm: ["Alarm", "abnormal"],
  discharged: ["Discharged", "muted"],
};
export const PRIORITIES = ["low", "medium", "high"];

/** Letter, colour and words of a beat's verdict. */
export function beatKind(beat) {
  const [letter, colour, text] = KINDS[beat.hint] ?? KINDS[beat.verdict] ?? KINDS.other;
  return { letter, colour, text };
}

/** Words and colour of a patient's state. */
export function state(name) {
  const [text, colour] = STATES[name] ?? [name, "muted"];
  return { text, colour };
}

export const bpm = (value) => (value === null || value === undefined ? NOTHING : String(Math.round(value)));

export const score = (value) => figure(value, 2);

export function figure(value, decimals) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  return value.toFixed(decimals).replace("-", MINUS);
}

/** Two digits, as a p-value is written. */
export function share(value) {
  return value === null || value === undefined ? NOTHING : String(Number(value.toPrecision(2)));
}

export const whole = (value) => value.toLocaleString("en-GB");

export const counted = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

/** Time of day on this computer. */
export function clock(time, seconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false, ...(seconds && { second: "2-digit" }) };
  return new Date(time * 1000).toLocaleTimeString("en-GB", options);
}

/** Day and time of day; today without the day. */
export function moment(time) {
  const then = new Date(time * 1000);
  if (then.toDateString() === new Date().toDateString()) return clock(time);
  return `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}, ${clock(time)}`;
}

/** A duration: 12 s, 3 min, 2 h 5 min. */
export function duration(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return minutes < 10 && whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** From the start of a recording: 12:34, or 5:12:34. */
export function elapsed(seconds, decimals = 0) {
  const total = Number(Math.max(seconds, 0).toFixed(decimals));
  const rest = (total % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
