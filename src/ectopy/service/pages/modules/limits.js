// The form of a patient's alarm limits.

import { element, find } from "./dom.js";

const PROFILES = [
  ["ward", "Ward"],
  ["ambulatory", "Ambulatory"],
  ["exercise", "Exercise"],
];
const GROUPS = [
  [
    "Heart rate",
    [
      ["high_bpm", "High above", "/min"],
      ["low_bpm", "Low below", "/min"],
      ["extreme_high_bpm", "Extremely high above", "/min"],
      ["extreme_low_bpm", "Extremely low below", "/min"],
      ["pause_s", "Pause from", "s"],
      ["asystole_s", "Asystole after", "s"],
    ],
  ],
  [
    "Rhythm",
    [
      ["vt_beats", "Ventricular tachycardia from", "beats"],
      ["vt_bpm", "and above", "/min"],
      ["run_beats", "Ventricular run from", "beats"],
      ["couplets", "Couplets in 5 min, more than", ""],
      ["abnormal_k", "Not this patient's normal from", "beats"],
      ["abnormal_n", "of the last", "beats"],
    ],
  ],
  [
    "Person and effort",
    [
      ["age", "Age", "years"],
      ["resting_bpm", "Heart rate at rest", "/min"],
      ["recovery_bpm", "Recovery in a minute, at least", "/min"],
      ["drop_bpm", "Sudden drop, more than", "/min"],
      ["ectopy_per_min", "Ectopic beats with effort from", "/min"],
    ],
  ],
];

/** Build the form; `save({profile, limits})` is called when it is sent. Who may not change it can read it. */
export function limitsForm(form, allowed, save) {
  const profile = element("select", { id: "profile", name: "profile" });
  for (const [value, text] of PROFILES) profile.append(element("option", { value }, text));
  const groups = GROUPS.map(([legend, fields]) =>
    element("fieldset", { class: "limits", disabled: !allowed }, element("legend", {}, legend), ...fields.map(field)),
  );
  const choice = element("div", { class: "field" }, element("label", { for: "profile" }, "Profile"), profile);
  groups[0].firstChild.after(choice);
  form.replaceChildren(...groups);
  if (allowed) form.append(element("p", { class: "row" }, element("button", { class: "first" }, "Set limits")));
  else form.append(element("p", { class: "small muted" }, "Only a key that may administer can change them."));
  form.addEventListener("input", () => (form.dataset.changed = "yes"));
  profile.addEventListener("change", () => save({ profile: profile.value, limits: person(form) }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save({ profile: profile.value, limits: { ...form.given, ...entered(form) } });
  });
}

/** Show limits as they are, unless somebody is changing them; `saved`: what was changed is what they are now. */
export function fillLimits(form, { profile, limits }, saved = false) {
  if (saved) delete form.dataset.changed;
  if (form.dataset.changed) return;
  form.given = limits;
  find("#profile", form).value = profile;
  for (const input of form.querySelectorAll("input")) input.value = limits[input.name] ?? "";
}

function field([name, label, unit]) {
  const words = element("label", { for: name }, label);
  if (unit) words.append(" ", element("span", { class: "unit" }, unit));
  return element("div", { class: "field" }, words, element("input", { id: name, name, type: "number", step: "any" }));
}

function entered(form) {
  const inputs = [...form.querySelectorAll("input")];
  return Object.fromEntries(inputs.map(({ name, value }) => [name, value === "" ? null : Number(value)]));
}

/** Who it is stays when the profile changes, and with it all else. */
function person(form) {
  const { age, resting_bpm } = entered(form);
  return { age, resting_bpm };
}
