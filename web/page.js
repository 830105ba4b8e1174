// The page: lists of jobs and hosts, and one job with its tasks. Every text of the farm is set by textContent.

import { Refused, ask, isLoggedIn, logOut, loginName, onLogin } from "./server.js";
import { JobView } from "./job.js";
import { bar, button, element, put, span, stateWords } from "./parts.js";

const POLL_MS = 1000;
const SUMMARY_MS = 4000;
const ROWS = 100;
const TASKS_OF_HOST = 8;
const JOB_FIELDS = [
  "id", "name", "user_name", "st", "state", "priority", "annotation", "branch", "time_creation", "time_started", "time_done",
  "running_tasks_num", "hidden", "locked", "blocks.name", "blocks.tasks_num", "blocks.p_progressbar", "blocks.p_percentage",
  "blocks.p_tasks_done", "blocks.p_tasks_error",
];
const HOST_FIELDS = [
  "id", "name", "st", "state", "user_name", "priority", "capacity_used", "pool", "annotation", "tasks", "tasks_percents",
];
const SYSTEM_JOB = 1;
const [OFF, DON] = [1 << 9, 1 << 4];

const at = (id) => document.getElementById(id);
const jobs = new Map();
const hosts = new Map();
/** What hosts use, by id; asked for while hosts are shown. */
const resources = new Map();
/** {"jobs" or "hosts", id: row}; rows are kept so that the keyboard's focus stays where it is. */
const rows = new Map();
let shown = "jobs";
let limit = ROWS;
let monitor = 0;
let drawing = false;
/** The job that is deleted when the question is answered with yes. */
let asked = 0;
/** When the numbers of the farm are due again. */
let summaryAt = 0;

// -- what the user does

/** Do something to a job; the answer of the server is shown when it refuses. */
async function act(id, type) {
  const action = { user_name: userName(), host_name: "web", type: "jobs", ids: [id], operation: { type } };
  try {
    const answer = await ask({ action });
    if (answer.info && answer.info.kind !== "log") say(answer.info.text);
  } catch (error) { fail(error); }
}

/** Ask before a job is deleted; what the buttons of the question do stands at the end. */
function remove(job) {
  at("ask-text").textContent = `Delete the job "${job.name}" with everything that was kept of it?`;
  asked = job.id;
  at("ask").showModal();
}

function actions(job) {
  const deletes = button("Delete", () => remove(job), job.name);
  deletes.classList.add("danger");
  if (job.st & OFF) return [button("Start", () => act(job.id, "start"), job.name), deletes];
  if (job.st & DON) return [deletes];
  return [button("Pause", () => act(job.id, "pause"), job.name), deletes];
}

function userName() { return loginName() || at("name").value.trim() || "web"; }

// -- rows

function jobRow(job) {
  const total = sum(job, "tasks_num");
  const done = sum(job, "p_tasks_done");
  const errors = sum(job, "p_tasks_error");
  const facts = [
    job.user_name, stateWords(job.state), `${done} of ${total} tasks`,
    job.running_tasks_num ? `${job.running_tasks_num} running` : "", errors ? `${errors} errors` : "",
    `priority ${job.priority}`, job.branch && job.branch !== "/" ? job.branch : "", job.annotation ?? "",
  ];
  const name = element("button", "name", job.name);
  name.type = "button";
  name.addEventListener("click", () => view.open(job.id));
  const right = element("div", "actions");
  right.append(...actions(job));
  const strip = bar(job.blocks ?? [], total, done);
  strip.classList.add("wide");
  return [name, right, span("facts", facts.filter(Boolean).join(" · ")), strip];
}

function hostRow(host) {
  const { cpu_num: cores, cpu_idle: idle, mem_total_mb: memory, mem_free_mb: free } = resources.get(host.id) ?? {};
  const facts = [
    stateWords(host.state), host.user_name, host.pool === "/" ? "" : host.pool,
    host.capacity_used ? `capacity ${host.capacity_used} taken` : "",
    cores ? `${100 - idle} % of ${cores} cores` : "", memory ? `memory ${gb(memory - free)} of ${gb(memory)} GB` : "",
    host.annotation ?? "",
  ];
  const parts = [element("b", "", host.name), span("facts wide", facts.filter(Boolean).join(" · "))];
  (host.tasks ?? []).slice(0, TASKS_OF_HOST).forEach((task, i) => {
    const percent = Math.max(0, host.tasks_percents?.[i] ?? 0);
    const words = `${task.user_name}: ${task.job_name} · ${task.block_name} · ${task.name}${percent ? ` · ${percent} %` : ""}`;
    parts.push(span("facts wide running", words));
  });
  return parts;
}

const gb = (megabytes) => (megabytes / 1024).toFixed(0);
const sum = (job, key) => (job.blocks ?? []).reduce((all, block) => all + (block[key] ?? 0), 0);

/** Draw soon; many changes are drawn once. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; drawNow(); });
}

function drawNow() {
  const table = shown === "jobs" ? jobs : hosts;
  const wanted = at("filter").value.trim().toLowerCase();
  const fits = [...table.values()].filter((node) => isShown(node) && (!wanted || textOf(node).includes(wanted)));
  if (shown === "jobs") fits.sort((a, b) => b.id - a.id);
  else fits.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const visible = fits.slice(0, limit).map((node) => rowOf(node));
  put(at("list"), visible);
  at("more").hidden = fits.length <= limit;
  at("more").textContent = `Show more (${fits.length - limit})`;
  at("empty").hidden = fits.length > 0;
  at("empty").textContent = wanted ? "Nothing has this in it." : shown === "jobs" ? "There are no jobs." : "No host has come yet.";
}

const isShown = (node) => shown !== "jobs" || (node.id !== SYSTEM_JOB && !node.hidden);
const textOf = (node) => `${node.name} ${node.user_name ?? ""} ${node.annotation ?? ""} ${node.state ?? ""}`.toLowerCase();

function rowOf(node) {
  const key = `${shown} ${node.id}`;
  const print = JSON.stringify([node, shown === "hosts" && resources.get(node.id)]);
  const row = rows.get(key) ?? element("li");
  if (row.dataset.print !== print) {
    row.dataset.print = print;
    // The focus stays on the button of the same name.
    const focused = row.contains(document.activeElement) ? [...row.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    row.replaceChildren(...(shown === "jobs" ? jobRow(node) : hostRow(node)));
    if (focused >= 0) row.querySelectorAll("button")[focused]?.focus();
  }
  rows.set(key, row);
  return row;
}

function forget(kind, ids) {
  for (const id of ids) {
    (kind === "jobs" ? jobs : hosts).delete(id);
    if (kind === "hosts") resources.delete(id);
    rows.delete(`${kind} ${id}`);
  }
}

// -- summary

async function drawSummary() {
  const { farm } = await ask({ get: { type: "farm" } });
  const { jobs: j, tasks: t, renders: r } = farm;
  const tiles = [
    [`${(j.total ?? 1) - 1}`, `jobs, ${j.RUN ?? 0} running, ${j.ERR ?? 0} with errors`],
    [`${t.running ?? 0}`, `tasks running, ${t.ready ?? 0} ready`],
    [`${t.done ?? 0}`, `tasks done of ${t.total ?? 0}, ${t.error ?? 0} errors`],
    [`${r.ONL ?? 0}`, `hosts online of ${r.total}, ${r.RUN ?? 0} busy`],
    [`${r.capacity ? Math.round((100 * r.capacity_used) / r.capacity) : 0} %`, "of the capacity in use"],
  ];
  put(at("summary"), tiles.map(([number, words]) => {
    const tile = element("div", "tile");
    tile.append(element("b", "", number), span("", words));
    return tile;
  }));
}

/** Ask what the hosts use that are shown. */
async function fetchResources() {
  const ids = [...hosts.keys()].filter((id) => rows.get(`hosts ${id}`)?.isConnected).slice(0, ROWS);
  if (!ids.length) return;
  const answer = await ask({ get: { type: "renders", ids, mode: "resources" } });
  for (const { id, host_resources: found } of answer.renders ?? []) if (found) resources.set(id, found);
  draw();
}

// -- live

async function load() {
  const registered = await ask({ monitor: { user_name: userName(), host_name: "web", engine: "afserver page" } });
  monitor = registered.monitor.id;
  for (const what of [{ class: "perm", uid: 0 }, { class: "jobs" }, { class: "renders" }]) {
    const operation = { type: "watch", status: "subscribe", ...what };
    await ask({ action: { user_name: userName(), host_name: "web", type: "monitors", ids: [monitor], operation } });
  }
  const [a, b] = await Promise.all([fetchJobs(), fetchHosts()]);
  forget("jobs", [...jobs.keys()].filter((id) => !a.has(id)));
  forget("hosts", [...hosts.keys()].filter((id) => !b.has(id)));
  draw();
}

async function fetchNodes(type, fields, table, ids) {
  const answer = await ask({ get: { type, fields, ...(ids ? { ids } : {}) } });
  const seen = new Set();
  for (const node of answer[type] ?? []) {
    table.set(node.id, node);
    seen.add(node.id);
  }
  return seen;
}

const fetchJobs = (ids) => fetchNodes("jobs", JOB_FIELDS, jobs, ids);
const fetchHosts = (ids) => fetchNodes("renders", HOST_FIELDS, hosts, ids);

async function listen() {
  const answer = await ask({ get: { type: "monitors", ids: [monitor], mode: "events" } });
  if (answer.monitor) return load();
  const events = answer.events;
  if (!events) return undefined;
  forget("jobs", events.jobs_del ?? []);
  forget("hosts", events.renders_del ?? []);
  const changedJobs = unique(events.jobs_add, events.jobs_change, events.block_ids?.job_id);
  const changedHosts = unique(events.renders_add, events.renders_change);
  if (changedJobs.length) await fetchJobs(changedJobs);
  if (changedHosts.length) await fetchHosts(changedHosts);
  for (const output of events.tasks_outputs ?? []) view.take(output);
  if (events.message) say(events.message);
  view.changed(changedJobs, events.jobs_del ?? []);
  return draw();
}

const unique = (...lists) => [...new Set(lists.flatMap((list) => list ?? []))];

async function live() {
  for (;;) {
    try {
      if (!document.hidden) {
        if (monitor) await listen();
        else await load();
        if (performance.now() >= summaryAt) {
          await drawSummary();
          if (shown === "hosts") await fetchResources();
          summaryAt = performance.now() + SUMMARY_MS;
        }
        linked("good", "Live");
        at("leave").hidden = !isLoggedIn();
      }
    } catch (error) {
      monitor = 0;
      linked("bad", error instanceof Refused ? error.message : "The server does not answer");
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

function linked(kind, text) {
  const link = at("link");
  if (link.textContent !== text) link.textContent = text;
  link.className = kind;
}

// -- small things

let toastTimer = 0;
function say(text) {
  at("toast").textContent = text;
  at("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { at("toast").hidden = true; }, 8000);
}
function fail(error) { say(error instanceof Refused ? error.message : "The server does not answer"); }

function show(what) {
  shown = what;
  limit = ROWS;
  at("show-jobs").setAttribute("aria-pressed", String(what === "jobs"));
  at("show-hosts").setAttribute("aria-pressed", String(what === "hosts"));
  summaryAt = 0;
  draw();
}

onLogin((why) => new Promise((done) => {
  at("login-why").textContent = why;
  at("login-password").value = "";
  const dialog = at("login");
  const form = at("login-form");
  const cancel = (event) => event.preventDefault();
  dialog.addEventListener("cancel", cancel);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.removeEventListener("cancel", cancel);
    dialog.close();
    done({ user: at("login-name").value.trim(), password: at("login-password").value });
    at("login-password").value = "";
  }, { once: true });
  if (!dialog.open) dialog.showModal();
  at("login-name").focus();
}));

const view = new JobView({ ask, actions, fail, jobOf: (id) => jobs.get(id), monitorId: () => monitor });

at("show-jobs").addEventListener("click", () => show("jobs"));
at("show-hosts").addEventListener("click", () => show("hosts"));
at("filter").addEventListener("input", draw);
at("more").addEventListener("click", () => { limit += ROWS; draw(); });
at("leave").addEventListener("click", () => { logOut(); location.reload(); });
at("ask-yes").addEventListener("click", () => act(asked, "delete"));
at("who").addEventListener("submit", (event) => event.preventDefault());
at("name").value = localStorage.getItem("afserver name") ?? "";
at("name").addEventListener("change", () => localStorage.setItem("afserver name", at("name").value.trim()));
for (const name of ["job", "output"]) at(`${name}-close`).addEventListener("click", () => at(name).close());

live();
