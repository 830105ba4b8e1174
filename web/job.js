// One job: facts, why it waits, its tasks, and what they wrote.

import { button, duration, element, moment, put, span, stateWords } from "./parts.js";

const TASKS = 100;
const LOOK_MS = 2000;
const at = (id) => document.getElementById(id);
const [RUN, DON, ERR, SKP, RDY] = [2, 16, 32, 256, 1];

export class JobView {
  /** `page` gives: ask, actions, fail, jobOf, monitorId. */
  constructor(page) {
    this.page = page;
    this.id = 0;
    this.block = 0;
    this.limit = TASKS;
    this.looking = false;
    this.again = false;
    this.output = null;
    this.rows = new Map();
    at("job").addEventListener("close", () => { this.id = 0; });
    at("output").addEventListener("close", () => { this.output = null; });
    at("more-tasks").addEventListener("click", () => { this.limit += TASKS; this.look(); });
  }

  open(id) {
    Object.assign(this, { id, block: 0, limit: TASKS });
    this.rows.clear();
    put(at("tasks"), []);
    put(at("why"), []);
    put(at("blocks"), []);
    this.drawHead();
    at("job").showModal();
    this.look();
  }

  /** Jobs changed or are gone. */
  changed(ids, gone) {
    if (!this.id) return;
    if (gone.includes(this.id)) at("job").close();
    else if (ids.includes(this.id)) {
      this.drawHead();
      this.look();
    }
  }

  drawHead() {
    const job = this.page.jobOf(this.id);
    if (!job) return;
    at("job-name").textContent = job.name;
    const had = at("job-actions").contains(document.activeElement);
    at("job-actions").replaceChildren(...this.page.actions(job));
    if (had) at("job-actions").firstChild.focus();
    const facts = {
      User: job.user_name, State: stateWords(job.state), Priority: String(job.priority), Branch: job.branch ?? "",
      Sent: moment(job.time_creation), Started: moment(job.time_started), Done: moment(job.time_done), Note: job.annotation ?? "",
    };
    put(at("job-facts"), Object.entries(facts).filter(([, text]) => text)
      .flatMap(([name, text]) => [element("dt", "", name), element("dd", "", text)]));
  }

  /** Ask for tasks and reasons, once at a time and not more often than one can read. */
  async look() {
    if (this.looking) { this.again = true; return; }
    this.looking = true;
    try {
      const id = this.id;
      const [progress, why] = await Promise.all([
        this.page.ask({ get: { type: "jobs", ids: [id], mode: "progress" } }),
        this.page.ask({ get: { type: "jobs", ids: [id], mode: "why" } }),
      ]);
      if (id === this.id && id) {
        this.drawWhy(why.why);
        this.drawTasks(progress.job_progress.progress);
      }
    } catch (error) { this.page.fail(error); }
    setTimeout(() => {
      this.looking = false;
      if (this.again && this.id) this.look();
      this.again = false;
    }, LOOK_MS);
  }

  drawWhy(why) {
    const lines = why.reasons.map(reasonText);
    for (const block of why.blocks) {
      const own = block.reasons.map((reason) => reasonText({ ...reason, node: reason.node === `block ${block.name}` ? "" : reason.node }));
      const { total, could_start: could, reasons } = block.renders ?? { total: 0, could_start: 0, reasons: {} };
      const refused = Object.entries(reasons).map(([name, count]) => `${count} × ${name.replaceAll("_", " ")}`);
      const waits = own.length || (!could && !why.reasons.length);
      if (!waits) continue;
      let hostsText = "";
      if (!own.length) hostsText = total ? `no host can take a task: ${refused.join(", ")}` : "there are no hosts";
      lines.push(`${block.name}: ${[...own, hostsText].filter(Boolean).join("; ")}`);
    }
    if (!lines.length) lines.push("It does not wait: a host can take its next task.");
    put(at("why"), lines.map((line) => element("li", "", line)));
  }

  drawTasks(blocks) {
    const job = this.page.jobOf(this.id);
    const names = (job?.blocks ?? []).map((block) => block.name);
    this.block = Math.min(this.block, blocks.length - 1);
    const print = JSON.stringify([names, this.block]);
    if (at("blocks").dataset.print !== print || !at("blocks").children.length) {
      at("blocks").dataset.print = print;
      put(at("blocks"), blocks.map((tasks, number) => {
        const made = button(`${names[number] ?? number} (${tasks.length})`, () => {
          Object.assign(this, { block: number, limit: TASKS });
          this.rows.clear();
          this.drawTasks(blocks);
          at("blocks").children[number].focus();
        });
        made.setAttribute("aria-pressed", String(number === this.block));
        return made;
      }));
    }
    const tasks = blocks[this.block] ?? [];
    put(at("tasks"), tasks.slice(0, this.limit).map((task, number) => this.row(task, number)));
    at("more-tasks").hidden = tasks.length <= this.limit;
  }

  row(task, number) {
    let row = this.rows.get(number);
    if (!row) {
      row = element("div", "task");
      const block = this.block;
      const name = `task ${number}`;
      row.append(element("span", "mark", String(number)), element("span", "facts"), button("Output", () => this.read(block, number), name));
      this.rows.set(number, row);
    }
    const [mark, facts, reads] = row.children;
    mark.className = `mark ${kindOf(task.st)}`;
    const now = Math.floor(Date.now() / 1000);
    const seconds = task.tst ? (task.st & RUN ? now : task.tdn ?? now) - task.tst : -1;
    const text = [
      stateWords(task.state), task.st & RUN && task.per ? `${task.per} %` : "", task.hst ?? "",
      seconds >= 0 ? duration(Math.max(seconds, 0)) : "", task.str > 1 ? `${task.str} starts` : "",
      task.err ? `${task.err} errors` : "", task.act ?? "",
    ].filter(Boolean).join(" · ");
    if (facts.textContent !== text) facts.textContent = text;
    reads.disabled = !task.str;
    return row;
  }

  /** Show what a task wrote; that of a running one comes later, from its host. */
  async read(block, task) {
    this.output = { job: this.id, block, task };
    at("output-name").textContent = `${this.page.jobOf(this.id)?.name ?? ""}, task ${task}`;
    at("output-text").textContent = "…";
    at("output").showModal();
    try {
      const answer = await this.page.ask({
        get: { type: "jobs", ids: [this.id], block_ids: [block], task_ids: [task], mode: "output", mon_id: this.page.monitorId() },
      });
      this.take(answer.task);
    } catch (error) { at("output-text").textContent = error.message; }
  }

  /** Take the output of a task, if it is the one that is shown. */
  take(output) {
    const { pos } = output;
    const wanted = this.output;
    if (!wanted || pos.job !== wanted.job || pos.block !== wanted.block || pos.task !== wanted.task) return;
    at("output-text").textContent = output.data || "It wrote nothing.";
  }
}

function kindOf(st) {
  for (const [bit, name] of [[RUN, "running"], [ERR, "error"], [SKP, "skipped"], [DON, "done"], [RDY, "ready"]]) if (st & bit) return name;
  return "waiting";
}

/** Return a reason of the server as words: its name, whose it is, and its numbers. */
function reasonText(reason) {
  const { reason: name, node, ...more } = reason;
  const details = Object.entries(more).map(([key, value]) => `${key.replaceAll("_", " ")}: ${plain(value)}`);
  return [name.replaceAll("_", " "), node ? `(${node})` : "", details.join(", ")].filter(Boolean).join(" ");
}

function plain(value) {
  if (Array.isArray(value)) return value.join(", ");
  return value && typeof value === "object" ? Object.entries(value).map(([k, v]) => `${v} ${k}`).join(", ") : String(value);
}
