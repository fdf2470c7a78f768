"use strict";

const token = location.hash.slice(1);
const element = (id) => document.getElementById(id);
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
const say = (text, bad = false) => {
  element("status").className = bad ? "bad" : "";
  element("status").textContent = sentence(text);
};

async function send(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer;
}

async function begin() {
  if (!token) return say("The link is not complete: copy all of it, with what stands behind the #.", true);
  try {
    const enrolment = await send("/v1/setup/begin", { token });
    element("secret").textContent = enrolment.secret;
    element("qr").src = "data:image/svg+xml;utf8," + encodeURIComponent(enrolment.qr_svg);
    element("form").hidden = false;
    say("The link is good for one account.");
  } catch (problem) {
    say(problem.detail ?? "The server does not answer; try again later.", true);
  }
}

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const error of document.querySelectorAll(".error")) error.textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  const value = (id) => element(id).value;
  if (value("password") !== value("repeat")) {
    element("repeat-error").textContent = "The two passwords differ.";
    element("repeat").focus();
    return;
  }
  say("Creating the account…");
  try {
    const staff = await send("/v1/setup", {
      token, name: value("name"), password: value("password"), code: value("code"),
    });
    element("form").remove();
    history.replaceState(null, "", location.pathname);
    say(`The account “${staff.name}” is ready. You can log in with it now.`);
  } catch (problem) {
    let first = null;
    for (const { field, message } of problem.errors ?? []) {
      const place = element(`${field}-error`);
      if (!place) continue;
      place.textContent = sentence(message);
      element(field).setAttribute("aria-invalid", "true");
      first ??= element(field);
    }
    say(first ? "Please look at what is marked below." : problem.detail ?? "The server does not answer; try again.", true);
    first?.focus();
  }
});

begin();
