// The events of a recording, the most serious first, linked with the trace in both directions.

import { element, query } from "./dom.js";
import { capitalise, countText, duration } from "./format.js";
import { ListBox } from "./list_box.js";
import { refresh } from "./page.js";

const ALL = "";
const RHYTHMS = "rhythms";
const MOST = 400; // more are shown of one kind
const BEFORE_S = 1; // is shown before an event that does not fit

export class EventList {
  constructor(viewer) {
    Object.assign(this, { viewer, events: [], episodes: [] });
    this.list = new ListBox(query("#events"), (event) => this.#go(event));
    this.kinds = query("#event-kind");
    this.kinds.addEventListener("change", () => this.#fill());
    viewer.addEventListener("move", () => this.#link(true));
  }

  /** Show events {kind, start_s, end_s, text, rank} by their rank, and episodes {rhythm, start_s, end_s, rate_bpm} by time. */
  show(events, episodes) {
    this.episodes = episodes.map(({ rhythm, rate_bpm: rate, ...stretch }) => {
      return { ...stretch, kind: rhythm, text: rate === null ? "" : `${Math.round(rate)} per minute` };
    });
    this.events = events.toSorted((one, other) => one.rank - other.rank);
    const counts = Map.groupBy(this.events, ({ kind }) => kind);
    const chosen = this.kinds.value;
    this.kinds.replaceChildren(
      element("option", { value: ALL }, `All events (${events.length})`),
      ...[...counts].map(([kind, members]) => element("option", { value: kind }, `${capitalise(kind)} (${members.length})`)),
      element("option", { value: RHYTHMS }, `Rhythms by time (${episodes.length})`),
    );
    this.kinds.value = counts.has(chosen) || chosen === RHYTHMS ? chosen : ALL;
    this.#fill();
  }

  focus() {
    query("#events").focus({ preventScroll: true });
  }

  #fill() {
    const kind = this.kinds.value;
    const members = kind === RHYTHMS ? this.episodes : this.events.filter((event) => kind === ALL || event.kind === kind);
    const isSame = (one, other) => one.kind === other.kind && one.start_s === other.start_s;
    this.list.show(members.slice(0, MOST).map((event) => ({ value: event, content: this.#content(event) })), isSame);
    query("#no-events").hidden = members.length > 0;
    query("#more-events").hidden = members.length <= MOST;
    query("#more-events").textContent = `And ${countText(members.length - MOST, "more event")}, less serious: choose a kind.`;
    this.#link();
  }

  #content({ kind, start_s: start, end_s: end, text }) {
    const length = end - start >= 1 ? duration(end - start) : "";
    return [
      element("span", { class: "between" }, element("strong", {}, capitalise(kind)), element("span", {}, this.viewer.clock.moment(start))),
      element("span", { class: "between muted" }, element("span", {}, capitalise(text)), element("span", {}, length)),
    ];
  }

  #go({ start_s: start, end_s: end }) {
    const { viewer } = this;
    const middle = end - start > viewer.span ? start + viewer.span / 2 - BEFORE_S : (start + end) / 2;
    return refresh(() => viewer.goToBeat(start, middle));
  }

  /** Point out the events in the stretch that is shown, here and above the trace; one that begins there is sought in the list. */
  #link(isMoved = false) {
    const { start, end } = this.viewer;
    const isHere = ({ start_s: from, end_s: to }) => to >= start && from <= end;
    this.viewer.showEvents(this.events.filter(isHere));
    this.list.pointOut(isHere, ({ start_s: from }) => isMoved && from >= start);
  }
}
