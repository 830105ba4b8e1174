// Small pieces of the page. Texts go in by textContent only, so no name of the farm can become markup.

/** Return an element with a class and a text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export const span = (className, text) => element("span", className, text);

/** Return a button that does something; `of` tells those who do not see the row what it belongs to. */
export function button(text, does, of = "") {
  const made = element("button", "", text);
  made.type = "button";
  if (of) made.setAttribute("aria-label", `${text} ${of}`);
  made.addEventListener("click", does);
  return made;
}

/** Make a parent have just these children, and move only those that are not in place. */
export function put(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null); });
}

const WORDS = {
  RDY: "ready", RUN: "running", DON: "done", ERR: "error", SKP: "skipped", OFF: "paused", WRN: "warning", WDP: "waits for others",
  WTM: "waits for a time", PPA: "waits for approval", RER: "tries again", WRC: "waits for its host", SUS: "suspended", ONL: "online",
  NbY: "nimby", NBY: "NIMBY", PAU: "paused", SIC: "sick", WSL: "asleep", WFL: "falls asleep", WWK: "wakes up", PER: "parser error",
  PBR: "parser bad result", PSC: "parser success",
};

/** Return the words for a state as the server writes it, like " RDY OFF". */
export function stateWords(state) {
  const words = (state ?? "").trim().split(/\s+/).filter(Boolean);
  if (words[0] === "OFF" && words.length === 1) return "off";
  return words.map((word) => WORDS[word] ?? word.toLowerCase()).join(", ");
}

/** Return the progress of a job: the bars of its blocks, each as wide as it has tasks. */
export function bar(blocks, total, done) {
  const strip = element("div", "bar");
  strip.setAttribute("role", "img");
  strip.setAttribute("aria-label", `${done} of ${total} tasks done`);
  for (const block of blocks) {
    const letters = block.p_progressbar ?? "";
    if (!letters || !total) continue;
    const share = (100 * (block.tasks_num ?? 0)) / total;
    for (const run of letters.match(/(.)\1*/g) ?? []) {
      const piece = element("i", /[A-Za-z]/.test(run[0]) ? run[0] : "");
      piece.style.width = `${(share * run.length) / letters.length}%`;
      strip.append(piece);
    }
  }
  return strip;
}

/** Return a span of seconds as 5 s, 3:07 or 2:05:09. */
export function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const moment = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleString() : "");
