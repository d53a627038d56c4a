// Live samples, beats and states from the server; says when they stop, and comes back by itself.

import { get } from "./api.js";

const WAITS_S = [0.5, 1, 2, 4, 8, 15];
const SILENCE_S = 10;
const MISSING = -32768;
const NOT_ALLOWED = 1008; // signed out elsewhere, or the key was revoked

/**
 * Watch some patients, or all where none is named.
 *
 * `on` has functions by name: samples(frame), summary, beat, dropped, and connection("open" | "lost").
 * Returns what ends it.
 */
export function watch(patients, on) {
  let socket = null;
  let attempt = 0;
  let receivedAt = 0;
  let isClosed = false;
  const search = patients.map((patient) => `patient=${encodeURIComponent(patient)}`).join("&");
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live${search && `?${search}`}`;

  const open = () => {
    const opening = new WebSocket(address);
    socket = opening;
    receivedAt = Date.now();
    opening.binaryType = "arraybuffer";
    opening.onopen = () => {
      receivedAt = Date.now();
      attempt = 0;
      on.connection("open");
    };
    opening.onmessage = ({ data }) => {
      receivedAt = Date.now();
      if (data instanceof ArrayBuffer) for (const frame of decode(data)) on.samples(frame);
      else for (const message of JSON.parse(data)) on[message.type]?.(message);
    };
    opening.onclose = async ({ code }) => {
      if (code === NOT_ALLOWED) await get("/api/session").catch(() => null); // leads to the sign-in
      if (!isClosed && socket === opening) reconnect();
    };
  };

  const reconnect = async () => {
    socket = null;
    on.connection("lost");
    const wait = WAITS_S[Math.min(attempt, WAITS_S.length - 1)];
    attempt += 1;
    await new Promise((resolve) => setTimeout(resolve, wait * 1000 * (0.8 + 0.4 * Math.random())));
    if (isClosed) return;
    // Without a session this leads to the sign-in; without a server the socket says so again.
    await get("/api/session").catch(() => null);
    if (!isClosed) open();
  };

  // A network that is gone closes nothing. Where nobody sends there is nothing to hear, and the server answers.
  const silence = setInterval(async () => {
    if (!socket || Date.now() - receivedAt < SILENCE_S * 1000) return;
    const silent = socket;
    socket = null;
    silent.close();
    if (await isServerUp()) open();
    else reconnect();
  }, 1000);

  open();
  return () => {
    isClosed = true;
    clearInterval(silence);
    socket?.close();
  };
}

async function isServerUp() {
  try {
    return (await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(3000) })).ok;
  } catch {
    return false;
  }
}

/** Frames of signals, back to back; `ectopy.service.live.frames` says what they look like. */
export function decode(buffer) {
  const frames = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const length = new DataView(buffer).getUint32(at, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at + 4, length)));
    const count = header.samples * header.leads.length;
    const pulses = (header.pulses ?? []).map((wave) => ({ ...wave, values: floats(wave.samples) }));
    frames.push({ ...header, missing: MISSING, counts: new Int16Array(buffer, at + 4 + length, count), pulses });
    at += 4 + length + 4 * Math.ceil(count / 2);
  }
  return frames;
}

/** Numbers from the base64 of their little-endian float32. */
function floats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
}
