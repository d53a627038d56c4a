// Corrections of a recording: sent on the version that is seen, undone, and those of other editors.

import { ApiError, get, post } from "./api.js";
import { hear } from "./events.js";

export class Corrections extends EventTarget {
  /**
   * Tells "change" when there is another version, with `by` in its detail where somebody else has made it.
   *
   * `analysis` and `version` are what this page shows.
   */
  constructor(path, { analysis, version }) {
    super();
    Object.assign(this, { path, analysis, version, newest: { version }, outgoing: new Set() });
  }

  /**
   * Send a correction when those before it are stored; where it is rejected because there are newer ones, these are loaded, and the error says why.
   *
   * `seen` has analysis and version of the list that it names something of, which may be older than what the page shows.
   */
  send(correction, seen = this) {
    return this.#inTurn("corrections", () => ({ analysis: seen.analysis, version: seen.version, correction }));
  }

  /**
   * Take back the last correction of the version `seen`: the user's own, or that of another author who is named.
   *
   * Where it is somebody else's, the answer of the error has its `entry`.
   */
  undo(author = null, seen = this) {
    return this.#inTurn("corrections/undo", () => ({ analysis: seen.analysis, version: seen.version, author }));
  }

  /** Whether the answer to a correction is still to come. */
  get isSending() {
    return this.outgoing.size > 0;
  }

  /** Wait for the answer to each correction that was sent; an error says which was not stored, and why. */
  async settle() {
    while (this.isSending) {
      await Promise.all(this.outgoing).catch((error) => {
        throw new ApiError(error.status, `A correction was not stored. ${error.message}`);
      });
    }
  }

  /** The log, the strips and the conclusion. */
  async load() {
    const log = await get(`${this.path}/corrections`);
    const { analysis, version } = log;
    if (analysis !== this.analysis || version > this.version) Object.assign(this, { analysis, version });
    return log;
  }

  /** Hear of the corrections of others while the page is looked at, and tell whether the connection is there. */
  follow(connection) {
    const catchUp = (change) => this.#hear(change);
    hear(`${this.path}/changes`, { current: catchUp, corrected: catchUp }, connection);
  }

  #hear(change) {
    this.newest = change;
    if (!this.isSending) this.#catchUp();
  }

  #catchUp() {
    const { analysis = this.analysis, version, by = "Somebody" } = this.newest;
    if (analysis !== this.analysis || version > this.version) this.#tell(by); // whoever hears it loads them
  }

  /** Post what `body` returns when those before it are answered; after one that was not stored, nothing is sent. */
  #inTurn(place, body) {
    const before = [...this.outgoing].at(-1);
    const answer = this.#answer(before, place, body).finally(() => {
      this.outgoing.delete(answer);
      if (!this.isSending) this.#catchUp();
    });
    this.outgoing.add(answer);
    return answer;
  }

  async #answer(before, place, body) {
    await before?.catch((error) => {
      throw new ApiError(error.status, `The correction before this one was not stored. ${error.message}`);
    });
    try {
      const answer = await post(`${this.path}/${place}`, body());
      this.version = answer.version;
      this.#tell(null);
      return answer;
    } catch (error) {
      if (error.status === 409 && !error.answer.entry) {
        await this.load();
        this.#tell(null);
      }
      throw error;
    }
  }

  #tell(by) {
    this.dispatchEvent(new CustomEvent("change", { detail: { by } }));
  }
}
