"use strict";

const element = (id) => document.getElementById(id);

// What stands behind the # is never sent to a server but in the bodies below.
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function say(text, kind = "") {
  element("status").className = kind;
  element("status").textContent = text;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

// Sends a form's content; answers what came back, or throws a problem (RFC 9457).
async function send(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw { detail: "The server cannot be reached. Look at your connection and try again." };
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw { detail: `The server answered with status ${response.status}. Try again later.`, ...answer };
  return answer;
}

// Shows a problem at the fields that it names, and in the status line. A field that is not on the page is told there too.
function show(problem, names = {}) {
  let first = null;
  for (const { field, message } of problem.errors ?? []) {
    const input = element(names[field] ?? field);
    const place = input && element(`${input.id}-error`);
    if (!place) continue;
    place.textContent = sentence(message);
    input.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  say(first ? "Please look at what is marked below." : sentence(problem.detail), "bad");
  if (first) first.focus();
}

// Runs `work` when the form is sent, once at a time.
function on_submit(work) {
  const form = element("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const error of form.querySelectorAll(".error")) error.textContent = "";
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const button = form.querySelector("button");
    button.disabled = true;
    say("One moment…");
    try {
      await work();
    } finally {
      button.disabled = false;
    }
  });
}

// The end of the road: the form is gone, the token too.
function done(title, text) {
  element("form").remove();
  document.querySelector("h1").textContent = title;
  document.title = `Ferrex: ${title}`;
  element("intro").remove();
  history.replaceState(null, "", location.pathname);
  say(text, "good");
}

const show_password = element("show-password");
show_password?.addEventListener("change", () => {
  element("password").type = show_password.checked ? "text" : "password";
});
