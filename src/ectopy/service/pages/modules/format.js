// Figures, times and states as people read them.

export const NOTHING = "--";

/** Seconds without samples after which what is shown is old; as in `ectopy.monitor.status`. */
export const SILENT_S = 3;

/** Condition of the alarm about a patient for whom nothing comes. */
export const NO_DATA = "no data";

const MINUS = "−";
const RARE = 0.05;
const KINDS = {
  "ventricular-like": ["V", "abnormal", "Ventricular-like"],
  "supraventricular-like": ["S", "abnormal", "Supraventricular-like"],
  other: ["Q", "abnormal", "Abnormal"],
  UNREADABLE: ["?", "unreadable", "Unreadable"],
  NORMAL: ["N", "normal", "As usual"],
};
const NOT_JUDGED = ["·", "muted", "Not compared with this patient's own normal"];
const OWN = "own normal";
const PROVISIONAL = "provisional normal";
const OTHERS = "other people's normal";
const STATES = {
  normal: ["Beats as usual", "normal"],
  abnormal: ["Unusual beats", "abnormal"],
  unreadable: ["Signal not readable", "unreadable"],
  alarm: ["Alarm", "abnormal"],
  discharged: ["Discharged", "muted"],
};
export const PRIORITIES = ["low", "medium", "high"];

/**
 * Letter, colour and words of a beat's verdict.
 *
 * `threshold` is the one of beats that are compared with the patient's own normal: another one was compared with other
 * people's only, and is not called usual. Null = all were.
 */
export function beatKind({ hint, verdict, threshold: beatThreshold }, threshold = null) {
  const isUncompared = threshold !== null && beatThreshold !== threshold && verdict === "NORMAL";
  const [letter, colour, text] = isUncompared ? NOT_JUDGED : KINDS[hint] ?? KINDS[verdict] ?? KINDS.other;
  return { letter, colour, text };
}

/** Words and colour of a patient's state, where the newest samples came so many seconds ago. */
export function state(summary, silent_s) {
  const { state: stateName, compared_with: comparison } = summary;
  if (stateName === "discharged") return labelled(STATES.discharged);
  if (silent_s === Infinity) return labelled(["No signal yet", "unreadable"]);
  if (silent_s > SILENT_S) return labelled([`No signal for ${duration(silent_s)}`, "unreadable"]);
  if (stateName === "no data") return labelled(["The signal has come back", "muted"]);
  if (stateName === "learning") return labelled([comparisonText(summary), "muted"]);
  if (stateName === "normal" && comparison === OTHERS) return labelled(["Beats like other people's", "muted"]);
  return labelled(STATES[stateName] ?? [stateName, "muted"]);
}

const labelled = ([text, colour]) => ({ text, colour });

/** With what confidence beats are named now, and for how long; empty where the patient's normal is known. */
export function comparisonText({ compared_with: comparison, learning_left_s: remaining_s }) {
  const learning = remaining_s === null ? "" : `Learning the normal${comparison === OWN ? " again" : ""}: ${elapsedTime(remaining_s)} left`;
  if (comparison === PROVISIONAL && !learning) return "A provisional normal, as after a change of electrodes";
  if (comparison !== OTHERS) return learning;
  return `${learning || "The normal is not known"}; compared with other people's`;
}

export const bpm = (value) => (value === null || value === undefined ? NOTHING : String(Math.round(value)));

export const score = (value) => figure(value, 2);

export function figure(value, decimals) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  return value.toFixed(decimals).replace("-", MINUS);
}

/** How rare such a beat is among normal ones, from its p-value. */
export function rarity(share) {
  if (share === null || share === undefined) return "";
  if (share > RARE) return `${Math.round(100 * share)} of 100 normal beats are as unusual.`;
  return `About 1 of ${whole(Number((1 / share).toPrecision(1)))} normal beats is as unusual.`;
}

export const whole = (value) => value.toLocaleString("en-GB");

export const countText = (count, singular, plural = `${singular}s`) => `${whole(count)} ${count === 1 ? singular : plural}`;

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

/** The same in one unit, for what is read at a glance: 12 s, 3 min, 2 h. */
export function age(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  if (whole < 60) return `${whole} s`;
  return whole < 7200 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 3600)} h`;
}

/** Whether an alarm's condition is present; an alarm can stay active for a time only because that may return. */
export const isPresent = ({ state: stateName, cleared_time: cleared }) => stateName === "active" && cleared === null;

/** Since when an alarm's condition is present, or for how long it has been away; no longer than there is a signal. */
export function alarmAge(alarm, now, silent_s = 0) {
  const { since_time: since, cleared_time: cleared } = alarm;
  const unseen_s = isUnseen(alarm, silent_s) && Number.isFinite(silent_s) ? silent_s : 0;
  if (isPresent(alarm)) return `for ${age(now - unseen_s - since)}`;
  return cleared === null ? "over" : `ended ${age(now - cleared)} ago`;
}

/** Whether the condition of an alarm goes on that was present when the newest samples came, so many seconds ago. */
export function continuation(alarm, now, silent_s) {
  return isUnseen(alarm, silent_s) ? "without a signal it is not known whether it goes on" : `goes on ${alarmAge(alarm, now)}`;
}

/** Every condition is seen in the signal, except that there is no signal. */
const isUnseen = ({ condition }, silent_s) => condition !== NO_DATA && silent_s > SILENT_S;

/** How long the condition of an alarm was there, which is over; one that came back counts from the first time. */
export function alarmLasted({ onset_time: onset, since_time: since, cleared_time: cleared, ended_time: ended }) {
  return duration((cleared ?? ended) - Math.min(onset, since));
}

export const isAcknowledged = (alarm) => alarm?.inactivation === "alert-acknowledged";

/** From the start of a recording: 12:34, or 5:12:34. */
export function elapsedTime(seconds, decimals = 0) {
  const total = Number(Math.max(seconds, 0).toFixed(decimals));
  const rest = (total % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);
