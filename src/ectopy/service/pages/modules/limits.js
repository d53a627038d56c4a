// The form of a patient's alarm limits.

import { element, query } from "./dom.js";
import { askToConfirm, reply } from "./page.js";
import { capitalise } from "./format.js";

let declarations = []; // the limits that have a field

/**
 * Build the form from the limits and profiles of `about`; `save({profile, limits}, at)` is called
 * when it is sent, with the button or field that asked for it. Without the right to change limits it is read only, and
 * nothing can be changed before `fillLimits` has shown what the limits are.
 */
export function limitsForm(form, { limits, profiles }, mayChange, save) {
  declarations = limits.filter(({ group }) => group);
  const profile = element("select", { id: "profile", name: "profile" });
  for (const value of profiles) profile.append(element("option", { value }, capitalise(value)));
  const groups = [...new Set(declarations.map(({ group }) => group))].map((legend) => {
    const fields = declarations.filter(({ group }) => group === legend).map(field);
    return element("fieldset", { class: "limits", disabled: true }, element("legend", {}, legend), ...fields);
  });
  const choice = element("div", { class: "field" }, element("label", { for: "profile" }, "Profile"), profile);
  groups[0].firstChild.after(choice);
  form.noValidate = true; // what is wrong is said below, in words that stay
  form.replaceChildren(...groups);
  const button = element("button", { class: "first", disabled: true }, "Set limits");
  form.mayChange = mayChange;
  if (mayChange) form.append(element("p", { class: "row" }, button));
  else form.append(element("p", { class: "small muted" }, "Only a key that may administer can change them."));
  form.addEventListener("input", () => (form.dataset.changed = "yes"));
  profile.addEventListener("change", async () => {
    const sure = await askToConfirm({
      title: `Use the limits of the profile ${profile.selectedOptions[0].text}?`,
      text: "They replace the limits that were set for this patient, but for age and heart rate at rest.",
      yes: "Use them",
    });
    if (sure) save({ profile: profile.value, limits: person(form) }, profile);
    else profile.value = form.shownLimits.profile;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const input of form.querySelectorAll("input")) reply(input, "");
    reply(button, "");
    const invalidInput = [...form.querySelectorAll("input")].find((input) => !input.validity.valid);
    if (invalidInput) reply(invalidInput, fault(invalidInput), true);
    else save({ profile: profile.value, limits: { ...form.shownLimits.limits, ...readInputs(form) } }, button);
  });
}

/** Show limits as they are, unless somebody is changing them; `saved`: what was changed is what they are now. */
export function fillLimits(form, { profile, limits }, isSaved = false) {
  if (isSaved) delete form.dataset.changed;
  if (form.dataset.changed) return;
  form.shownLimits = { profile, limits };
  if (form.mayChange) for (const part of form.querySelectorAll("fieldset, button")) part.disabled = false;
  query("#profile", form).value = profile;
  for (const input of form.querySelectorAll("input")) input.value = limits[input.name] ?? "";
}

/** A sentence of the server about limits, with the names that the form has for them. */
export function inWordsOfTheForm(text) {
  return declarations.reduce((words, { name, label }) => words.replace(new RegExp(`\\b${name}\\b`, "gi"), `“${label}”`), text);
}

function field({ name, label, unit, least, most, whole }) {
  const words = element("label", { for: name }, label);
  if (unit) words.append(" ", element("span", { class: "unit" }, unit));
  const range = { min: least, max: most, step: whole ? 1 : "any" };
  return element("div", { class: "field" }, words, element("input", { id: name, name, type: "number", ...range }));
}

function fault({ name, value, validity, min, max }) {
  const { label } = declarations.find((limit) => limit.name === name);
  if (validity.badInput) return `“${label}” must be a number.`;
  if (validity.stepMismatch) return `“${label}” must be a whole number, not ${value}.`;
  return `“${label}” must be ${min} to ${max}, not ${value}.`;
}

function readInputs(form) {
  const inputs = [...form.querySelectorAll("input")];
  return Object.fromEntries(inputs.map(({ name, value }) => [name, value === "" ? null : Number(value)]));
}

/** Who it is stays when the profile changes, and with it all else. */
function person(form) {
  const { age, resting_bpm } = readInputs(form);
  return { age, resting_bpm };
}
