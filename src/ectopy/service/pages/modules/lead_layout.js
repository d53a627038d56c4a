// Where each lead is drawn: in a lane of its own, or as the twelve leads are printed, in columns above a rhythm strip.

const COLUMNS = [
  ["I", "II", "III"],
  ["AVR", "AVL", "AVF"],
  ["V1", "V2", "V3"],
  ["V4", "V5", "V6"],
];
const RHYTHM = "II";

const places = (leads) => new Map(leads.map((name, lead) => [name.toUpperCase(), lead]));

/** Whether all twelve leads are there. */
export const hasTwelve = (leads) => COLUMNS.flat().every((name) => places(leads).has(name));

/** One lane below the other: {lead, top, height, from, to}; `from` and `to` are shares of the time that is shown. */
export function lanes(leads, top, height) {
  const lane = height / leads.length;
  return leads.map((_, lead) => ({ lead, top: top + lane * lead, height: lane, from: 0, to: 1 }));
}

/** Four columns of three leads, each a quarter of the time, above a rhythm strip of lead II. */
export function twelve(leads, top, height) {
  const at = places(leads);
  const lane = height / (COLUMNS[0].length + 1);
  const cells = COLUMNS.flatMap((column, number) =>
    column.map((name, row) => {
      const [from, to] = [number / COLUMNS.length, (number + 1) / COLUMNS.length];
      return { lead: at.get(name), top: top + lane * row, height: lane, from, to };
    }),
  );
  return [...cells, { lead: at.get(RHYTHM), top: top + lane * COLUMNS[0].length, height: lane, from: 0, to: 1 }];
}
