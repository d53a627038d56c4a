// Alarm tones by priority. A browser plays nothing before the first click or key on the page: the button says so.

import { PRIORITIES } from "./format.js";

const PAUSE_S = 120;
const VOLUME = 0.4;
const LOST = "medium";

// Pulses: when they begin, how long they last, how high they are; and how soon all is heard again.
const PATTERNS = {
  high: { every: 6, hz: 880, pulse: 0.12, at: [0, 0.22, 0.44, 0.86, 1.08, 2, 2.22, 2.44, 2.86, 3.08] },
  medium: { every: 12, hz: 622, pulse: 0.2, at: [0, 0.42, 0.84] },
  low: { every: 30, hz: 466, pulse: 0.25, at: [0, 0.55] },
};

let context = null;
let volume = null;
let alarm = null;
let isConnectionLost = false;
let neededPriority = null;
let playingPriority = null;
let timer = 0;
let pausedUntil = 0;
const listeners = new Set();

/** Whether this screen can be heard - `off`, `on` or `paused` - and for how many seconds it is paused. */
export function status() {
  const left = Math.ceil((pausedUntil - Date.now()) / 1000);
  if (!context || context.state !== "running") return { state: "off", left: 0 };
  return left > 0 ? { state: "paused", left } : { state: "on", left: 0 };
}

/** Call now, and whenever that changes. */
export function onSound(listener) {
  listeners.add(listener);
  listener();
}

/** Turn on, pause for two minutes, or end the pause; called by a click or a key. */
export async function toggleSound() {
  const { state } = status();
  if (state === "off") {
    context ??= new AudioContext();
    await context.resume();
    play([523, 784], 0.12);
  } else {
    pausedUntil = state === "on" ? Date.now() + PAUSE_S * 1000 : 0;
    volume?.disconnect();
    volume = null;
  }
  playingPriority = null;
  update();
}

/** Sound the pattern of this priority again and again; null = no alarm. */
export function sound(priority) {
  alarm = priority;
  selectPriority();
}

/** A screen that hears nothing of its patients is an alarm too. */
export function soundLost(isLost) {
  isConnectionLost = isLost;
  selectPriority();
}

/** Whether an alarm wants to be heard that this screen cannot play. */
export const isInaudible = () => neededPriority !== null && status().state === "off";

function selectPriority() {
  const urgency = Math.max(PRIORITIES.indexOf(alarm), isConnectionLost ? PRIORITIES.indexOf(LOST) : -1);
  neededPriority = PRIORITIES[urgency] ?? null;
  if (neededPriority !== playingPriority) update();
}

function update() {
  clearTimeout(timer);
  const { state } = status();
  playingPriority = state === "on" ? neededPriority : null;
  if (playingPriority !== null) {
    const pattern = PATTERNS[playingPriority];
    pulses(pattern.at.map((at) => [at, pattern.hz]), pattern.pulse);
    timer = setTimeout(update, pattern.every * 1000);
  } else if (state === "paused") {
    timer = setTimeout(update, 1000);
  }
  for (const listener of listeners) listener();
}

function play(tones, length) {
  pulses(tones.map((hz, at) => [at * 1.5 * length, hz]), length);
}

function pulses(list, length) {
  if (!volume) {
    volume = new GainNode(context, { gain: VOLUME });
    volume.connect(context.destination);
  }
  for (const [at, hz] of list) {
    const begin = context.currentTime + 0.05 + at;
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setValueAtTime(0, begin);
    envelope.gain.linearRampToValueAtTime(1, begin + 0.015);
    envelope.gain.setValueAtTime(1, begin + length - 0.03);
    envelope.gain.linearRampToValueAtTime(0, begin + length);
    envelope.connect(volume);
    for (const [harmonic, strength] of [
      [1, 0.6],
      [2, 0.25],
      [3, 0.15],
    ]) {
      const tone = new OscillatorNode(context, { frequency: hz * harmonic });
      const part = new GainNode(context, { gain: strength });
      tone.connect(part).connect(envelope);
      tone.start(begin);
      tone.stop(begin + length);
    }
  }
}
