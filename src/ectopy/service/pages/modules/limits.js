// The form of a patient's alarm limits.

import { element, find } from "./dom.js";
import { confirmed, reply } from "./shell.js";

const PROFILES = [
  ["ward", "Ward"],
  ["ambulatory", "Ambulatory"],
  ["exercise", "Exercise"],
  ["child", "Child"],
  ["infant", "Infant"],
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
      ["svt_beats", "Supraventricular run from", "beats"],
      ["svt_bpm", "and above", "/min"],
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

/**
 * Build the form; `save({profile, limits}, at)` is called when it is sent, with the button or field that asked for it.
 * Read-only without the right to change limits, and until `fillLimits` has shown their values.
 */
export function limitsForm(form, allowed, save) {
  const profile = element("select", { id: "profile", name: "profile" });
  for (const [value, text] of PROFILES) profile.append(element("option", { value }, text));
  const groups = GROUPS.map(([legend, fields]) =>
    element("fieldset", { class: "limits", disabled: true }, element("legend", {}, legend), ...fields.map(field)),
  );
  const choice = element("div", { class: "field" }, element("label", { for: "profile" }, "Profile"), profile);
  groups[0].firstChild.after(choice);
  form.noValidate = true; // what is wrong is said below, in words that stay
  form.replaceChildren(...groups);
  const button = element("button", { class: "first", disabled: true }, "Set limits");
  form.allowed = allowed;
  if (allowed) form.append(element("p", { class: "row" }, button));
  else form.append(element("p", { class: "small muted" }, "Only a key that may administer can change them."));
  form.addEventListener("input", () => (form.dataset.changed = "yes"));
  profile.addEventListener("change", async () => {
    const sure = await confirmed({
      title: `Use the limits of the profile ${profile.selectedOptions[0].text}?`,
      text: "They replace the limits that were set for this patient, but for age and heart rate at rest.",
      yes: "Use them",
    });
    if (sure) save({ profile: profile.value, limits: person(form) }, profile);
    else profile.value = form.given.profile;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const input of form.querySelectorAll("input")) reply(input, "");
    reply(button, "");
    const wrong = [...form.querySelectorAll("input")].find((input) => !input.validity.valid);
    if (wrong) reply(wrong, fault(wrong), true);
    else save({ profile: profile.value, limits: { ...form.given.limits, ...entered(form) } }, button);
  });
}

/** Show limits as they are, unless somebody is changing them; `saved`: what was changed is what they are now. */
export function fillLimits(form, { profile, limits, limit_ranges: ranges }, saved = false) {
  if (saved) delete form.dataset.changed;
  if (form.dataset.changed) return;
  form.given = { profile, limits };
  if (form.allowed) for (const part of form.querySelectorAll("fieldset, button")) part.disabled = false;
  find("#profile", form).value = profile;
  for (const input of form.querySelectorAll("input")) {
    const { least, most, whole } = ranges[input.name];
    Object.assign(input, { min: least, max: most, step: whole ? 1 : "any", value: limits[input.name] ?? "" });
  }
}

/** A sentence of the server about limits, with the names that the form has for them. */
export function inWordsOfTheForm(text) {
  const names = GROUPS.flatMap(([, fields]) => fields);
  return names.reduce((words, [name, label]) => words.replace(new RegExp(`\\b${name}\\b`, "gi"), `“${label}”`), text);
}

function field([name, label, unit]) {
  const words = element("label", { for: name }, label);
  if (unit) words.append(" ", element("span", { class: "unit" }, unit));
  return element("div", { class: "field" }, words, element("input", { id: name, name, type: "number", step: "any" }));
}

function fault({ name, value, validity, min, max }) {
  const label = GROUPS.flatMap(([, fields]) => fields).find(([other]) => other === name)[1];
  if (validity.badInput) return `“${label}” must be a number.`;
  if (validity.stepMismatch) return `“${label}” must be a whole number, not ${value}.`;
  return `“${label}” must be ${min} to ${max}, not ${value}.`;
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
