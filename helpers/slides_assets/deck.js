"use strict";
// The deck: parts the slides of <main id="source"> into pages that fit, and presents them. No library, no request.
//
// 1 Fit: what is too wide or too tall gets smaller letters, never below SMALLEST; a picture gets smaller.
// 2 Part: every slide becomes a list of blocks (paragraph, list item, code, output, picture …), measured as they
//   lie under each other; the best page breaks are found by dynamic programming; pages are built from clones.
// 3 Present: keys, steps, overview, the speaker's window, print.

const AREA_WIDTH = 1168, AREA_HEIGHT = 618;  // pixels of a page of 1280 × 720; deck.css places them
const SMALLEST = 14, SMALLEST_UNCUT = 17;    // letters; code and tables are cut rather than set below the second
const GIVE = 0.22;                           // by how much a picture may shrink to share a page with its text
const PAGE_COST = 260;                       // what a further page costs, against the penalties of breakPenalty()

const source = document.getElementById("source");
const bareText = node => [...node.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
const HEADING = /^H[1-6]$/;
const letters = node => node.textContent.replace(/\s/g, "").length;
const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
};

// ---------------------------------------------------------------- 1 fit

function shrink(element, fits, smallest = SMALLEST) {
  let size = parseFloat(getComputedStyle(element).fontSize);
  while (!fits() && size > smallest) {
    size = Math.max(smallest, size - 0.5);
    element.style.fontSize = size + "px";
  }
  return fits();
}

function alignColumns(table) {  // numbers to the right, words to the left, headings as their columns
  const number = /^[-−+±]?[\d.,\s]*\d(\s?[%×a-zµ]{1,3})?$|^(NaN|–|—|-|)$/;
  const body = [...table.querySelectorAll("tbody tr")];
  for (const row of table.rows) {
    let column = row.cells.length - (body[0] ? body[0].cells.length : 0);  // headings of columns may lack the first cell
    for (const cell of row.cells) {
      const below = body.map(other => other.cells[cell.cellIndex - column]).filter(Boolean);
      if (below.length && below.every(one => one.tagName === "TD" && number.test(one.textContent.trim()))) cell.classList.add("number");
    }
  }
}

function fitWidths() {
  source.querySelectorAll(".output table").forEach(alignColumns);
  for (const pre of source.querySelectorAll("pre")) {
    const fits = () => pre.scrollWidth <= pre.clientWidth;
    const prose = pre.closest(".output") && !/\S {2,}\S/.test(pre.textContent);  // no columns, so lines may be folded
    if (shrink(pre, fits, prose ? 18 : 16)) continue;
    pre.style.fontSize = pre.closest(".output") ? "18px" : "";
    pre.classList.add("wrapped");
  }
  for (const table of source.querySelectorAll("table")) {
    const room = table.parentElement.clientWidth;
    if (!shrink(table, () => table.offsetWidth <= room && table.offsetHeight <= AREA_HEIGHT, SMALLEST_UNCUT) &&
        table.offsetWidth > room) {
      if (!shrink(table, () => table.offsetWidth <= room)) table.classList.add("wrapped");
    }
  }
  for (const formula of source.querySelectorAll('math[display="block"]')) {
    const room = formula.parentElement.clientWidth;
    const width = () => Math.max(...[...formula.querySelectorAll("*")].map(part => part.getBoundingClientRect().right))
      - formula.getBoundingClientRect().left;
    if (!shrink(formula, () => width() <= room)) formula.style.zoom = formula.dataset.zoomed = room / width() * 0.99;
  }
}

// ---------------------------------------------------------------- 2 part

function partParagraph(paragraph) {  // into pieces of 600 letters or a little more, between two words
  const pieces = [paragraph.cloneNode(false)];
  let count = 0;
  for (const child of [...paragraph.childNodes]) {
    for (let rest = child; rest;) {
      const space = rest.nodeType === Node.TEXT_NODE ? rest.data.indexOf(" ", Math.max(0, 600 - count)) : -1;
      const more = space >= 0 ? rest.splitText(space) : null;
      count += rest.textContent.length;
      pieces.at(-1).append(rest);
      if (more) {
        pieces.push(paragraph.cloneNode(false));
        count = 0;
      }
      rest = more;
    }
  }
  paragraph.replaceWith(...pieces);
  return pieces;
}

// A block: {node, shells}; shells are the elements around it, from its cell inwards, which are cloned with it.
function blocksOf(node, shells, found) {
  const tall = node.getBoundingClientRect().height > AREA_HEIGHT;
  const children = [...node.children];
  const inside = (nodes, ...more) => nodes.forEach(child => blocksOf(child, [...shells, ...more], found));
  if (node.matches(".output, .highlight") || (node.tagName === "DIV" && children.length === 1 && !node.matches(".cell"))) {
    if (children.length && !bareText(node)) return inside(children, node);
  }
  if (node.tagName === "P" && letters(node) === 0 && node.querySelector(":scope > img")) return inside(children, node);
  if (node.tagName === "P" && tall) return inside(partParagraph(node));
  if (node.matches("ul, ol") && children.every(child => child.tagName === "LI")) return inside(children, node);
  if (node.tagName === "TABLE" && tall && node.tBodies.length === 1) {
    const widths = [...node.rows[0].cells].map(cell => cell.offsetWidth + "px");  // as they are, also on part of the rows
    node.style.cssText += `; table-layout: fixed; width: ${node.offsetWidth}px`;
    [...node.rows[0].cells].forEach((cell, index) => { cell.style.width = widths[index]; });
    return inside([...node.tBodies[0].rows], node, node.tBodies[0]);
  }
  if (node.tagName === "PRE" && tall && !shrink(node, () => node.offsetHeight <= AREA_HEIGHT, SMALLEST_UNCUT)) {
    node.style.fontSize = "";
    if (node.scrollWidth > node.clientWidth) shrink(node, () => node.scrollWidth <= node.clientWidth);
    const lines = node.innerHTML.replace(/\n$/, "").split("\n");
    const whole = lines.every(line => (line.match(/<\w/g) || []).length === (line.match(/<\//g) || []).length);
    if (whole) {
      node.innerHTML = lines.map(line => `<span class="line">${line}</span>`).join("");
      return inside([...node.children], node);
    }
  }
  found.push({node, shells});
}

function fitHeight(block) {  // the last resort, for a single block that is taller than a page
  const {node} = block, fits = () => node.getBoundingClientRect().height <= AREA_HEIGHT;
  if (fits() || node.tagName === "IMG" || shrink(node, fits)) return;
  node.style.zoom = AREA_HEIGHT / node.getBoundingClientRect().height * 0.99;
  node.dataset.zoomed = node.style.zoom;
}

function breakPenalty(before, after) {
  const text = before.node.textContent.trimEnd(), parent = after.shells.at(-1);
  if (HEADING.test(after.node.tagName)) return -40;
  if (before.cell !== after.cell) return text.endsWith(":") ? 150 : 0;
  if (parent === before.shells.at(-1)) {
    if (after.node.matches(".line")) return before.node.textContent.trim() ? 200 : 40;  // best at an empty line
    if (after.node.tagName === "TR") return 200;
    if (after.node.tagName === "LI") return 120;
  }
  if (after.cell.matches(".code")) return after.cell.offsetHeight > AREA_HEIGHT ? 10 : 200;
  return text.endsWith(":") || after.node.matches("li:first-child") ? 200 : 60;
}

function pagesOf(blocks) {  // [[first, last], …] of the cheapest way to part the blocks
  const best = [{cost: 0}];
  for (let end = 1; end <= blocks.length; end++) {
    best[end] = {cost: Infinity};
    const last = blocks[end - 1], over = end === blocks.length;
    if (last.heading && !over) continue;  // no heading at the foot of a page
    for (let start = end - 1; start >= 0; start--) {
      if (best[start].cost === Infinity) continue;
      const promoted = blocks[start].heading && start + 1 < end;
      const height = last.bottom - blocks[promoted ? start + 1 : start].top + blocks[start].again;
      const excess = Math.max(0, height - AREA_HEIGHT), give = blocks.slice(start, end).reduce((sum, block) => sum + block.give, 0);
      if (excess > 0 && start + 1 + promoted < end && height > 2 * AREA_HEIGHT) break;
      if (excess > give && start + 1 + promoted < end) continue;
      const free = Math.max(0, 1 - height / AREA_HEIGHT);
      const cost = best[start].cost + PAGE_COST + 60 * free * free + (excess ? 60 * excess / give : 0)
        + (over ? 0 : breakPenalty(last, blocks[end]));
      if (cost < best[end].cost) best[end] = {cost, start};
    }
  }
  const found = [];
  for (let end = blocks.length; end > 0; end = best[end].start) found.unshift([best[end].start, end - 1]);
  return found;
}

let title = "";  // the last heading, repeated on pages that go on

function buildPage(blocks, section) {
  const area = make("div", "area"), heading = make("header", "heading");
  let first = blocks[0];
  if (first.heading) {
    const level = first.node.tagName;
    title = first.node.innerHTML;
    heading.append(first.node.cloneNode(true));
    heading.classList.toggle("main", level === "H1");
    blocks = blocks.slice(1);
  } else if (title) {
    const again = make("p", "again");
    again.innerHTML = title;
    again.append(make("span", "continued", " … continued"));
    heading.append(again);
  }
  const height = blocks.at(-1).bottom - blocks[0].top + blocks[0].again;
  const give = blocks.reduce((sum, block) => sum + block.give, 0), excess = Math.max(0, height - AREA_HEIGHT + 1);
  let open = [];  // pairs [shell, its clone on this page]
  for (const block of blocks) {
    let depth = 0;
    while (depth < open.length && open[depth][0] === block.shells[depth]) depth++;
    open = open.slice(0, depth);
    for (const shell of block.shells.slice(depth)) {
      const clone = shell.cloneNode(false), parent = open.length ? open.at(-1)[1] : area;
      clone.removeAttribute("id");
      if (shell.tagName === "OL") clone.start = (shell.start || 1) + [...shell.children].indexOf(block.node);
      if (shell.tagName === "TABLE" && shell.tHead) {
        clone.append(shell.tHead.cloneNode(true));
        if (block.again) clone.tHead.classList.add("again");
      }
      parent.append(clone);
      open.push([shell, clone]);
    }
    const clone = block.node.cloneNode(true);
    if (block.give && excess > 0 && excess <= give + 1) clone.style.height = (1 - GIVE * excess / give) * (block.bottom - block.top) + "px";
    open.at(-1)[1].append(clone);
    if (HEADING.test(block.node.tagName)) title = block.node.innerHTML;
  }
  for (let last = area.lastElementChild; last; last = last.matches("pre, table, details") ? null : last.lastElementChild) {
    last.style.marginBottom = 0;
  }
  if (area.querySelectorAll("img").length && letters(area) === 0) area.classList.add("picture");
  area.querySelectorAll("details").forEach(details => { details.open = false; });
  const page = make("section", "page", heading, area);
  if (section.matches(".question")) page.classList.add("question");
  if (heading.matches(".main")) page.classList.add("first");
  page.notes = [...section.querySelectorAll(":scope > .notes")];
  page.steps = [];  // what the next keys show: cells that appear, folds that open
  for (const [number, cell] of [...area.children].entries()) {
    const alone = number === 0 && (!first.heading || first.cell === blocks[0].cell);  // nothing else would be on the page
    if (!alone && cell.hasAttribute("data-fragment")) page.steps.push(cell);
    else cell.removeAttribute("data-fragment");
    page.steps.push(...cell.querySelectorAll("details"));
  }
  page.steps.forEach((element, index) => { element.dataset.step = index; });
  return page;
}

function part() {
  const pages = [];
  source.querySelectorAll("details").forEach(details => { details.open = true; });  // measured open: room is kept
  fitWidths();
  for (const section of source.querySelectorAll(":scope > section")) {
    const blocks = [];
    for (const child of section.children) {
      if (HEADING.test(child.tagName)) blocks.push({node: child, shells: []});
      if (bareText(child)) child.replaceChildren(make("div", "", ...child.childNodes));
      if (child.matches(".cell")) [...child.children].forEach(inside => blocksOf(inside, [child], blocks));
    }
    blocks.forEach(fitHeight);
    for (const block of blocks) {
      const box = block.node.getBoundingClientRect(), table = block.shells.find(shell => shell.tagName === "TABLE");
      block.cell = block.shells[0];
      block.heading = HEADING.test(block.node.tagName);
      [block.top, block.bottom] = [box.top, box.bottom];
      for (const shell of block.shells) {  // the paddings of code and tables belong to their first and last blocks
        const around = shell.getBoundingClientRect();
        if (shell.matches("pre, table")) {
          block.top = Math.min(block.top, block.node === firstIn(shell) ? around.top : box.top - 10);
          block.bottom = Math.max(block.bottom, box.bottom + 10);
        }
      }
      block.give = block.node.tagName === "IMG" ? box.height * GIVE : 0;
      block.again = table && table.tHead && block.node !== table.tBodies[0].rows[0] ? table.tHead.offsetHeight : 0;
    }
    const ready = pagesOf(blocks).map(([first, last]) => buildPage(blocks.slice(first, last + 1), section));
    if (section.matches(".question")) ready.slice(0, -1).forEach(page => page.classList.add("goes-on"));
    pages.push(...ready);
  }
  return pages;
}

const firstIn = shell => shell.tagName === "TABLE" ? shell.tBodies[0].rows[0] : shell.firstElementChild;

// ---------------------------------------------------------------- 3 present

const deck = {pages: [], at: 0, step: 0};
const stage = make("div", ""), bar = make("div", ""), status = make("div", "unseen"), help = make("div", "");
let speaker = null, started = null;

function showSteps(page, count) {
  for (const element of page.querySelectorAll("[data-step]")) {
    const on = Number(element.dataset.step) < count;
    if (element.tagName === "DETAILS") element.open = on;
    else element.classList.toggle("shown", on);
  }
}

function go(at, step = 0) {
  at = Math.max(0, Math.min(deck.pages.length - 1, at));
  const page = deck.pages[at], turned = deck.at !== at;
  step = Math.max(0, Math.min(page.steps.length, step));
  if (turned || step !== deck.step) started = started || Date.now();
  [deck.at, deck.step] = [at, step];
  deck.pages.forEach((other, index) => other.parentElement.classList.toggle("now", index === at));
  showSteps(page, step);
  bar.style.width = 100 * (at + 1) / deck.pages.length + "%";
  if (turned) status.textContent = page.getAttribute("aria-label");
  history.replaceState(null, "", "#" + (at + 1));
  if (document.body.classList.contains("overview")) page.parentElement.scrollIntoView({block: "nearest"});
  showSpeaker();
}

const next = () => deck.step < deck.pages[deck.at].steps.length ? go(deck.at, deck.step + 1) : deck.at + 1 < deck.pages.length && go(deck.at + 1);
const back = () => deck.step > 0 ? go(deck.at, deck.step - 1) : deck.at > 0 && go(deck.at - 1, Infinity);
const jump = (direction) => {  // to the beginning of the next or an earlier slide that has a heading of its own
  let at = deck.at + direction;
  while (deck.pages[at] && deck.pages[at].querySelector(".heading > .again")) at += direction;
  go(at);
};

function toggle(name) {
  document.body.classList.toggle(name);
  resize();
  go(deck.at, deck.step);
}

const KEYS = {
  "ArrowRight": next, " ": next, "PageDown": next, "Enter": next, "n": next,
  "ArrowLeft": back, "PageUp": back, "Backspace": back, "p": back,
  "ArrowDown": () => jump(1), "ArrowUp": () => jump(-1),
  "Home": () => go(0), "End": () => go(deck.pages.length - 1),
  "o": () => toggle("overview"),
  "Escape": () => { ["overview", "blank", "helping"].forEach(name => document.body.classList.remove(name)); toggle("-"); },
  "b": () => toggle("blank"), ".": () => toggle("blank"), "?": () => toggle("helping"),
  "s": () => openSpeaker(),
  "f": () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
};
const HELP = [["→ or space", "go on"], ["←", "back"], ["↓ ↑", "next or earlier heading"], ["S", "speaker's window: notes, next page, clock"],
              ["O", "overview of all pages"], ["F", "full screen"], ["B", "blank screen"], ["Ctrl P", "print, or save as PDF"], ["?", "this help"]];

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const native = event.target.closest && event.target.closest("a, button, summary, input");
  if (native && (event.key === "Enter" || event.key === " ")) return;
  let action = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (event.key === " " && event.shiftKey) action = back;
  if (event.key === "Enter" && document.body.classList.contains("overview")) action = KEYS.o;
  if (!action) return;
  event.preventDefault();
  action();
}

function resize() {
  const overview = document.body.classList.contains("overview");
  const scale = overview ? 1 : Math.min(innerWidth / 1280, innerHeight / 720);
  stage.style.setProperty("--scale", scale);
  stage.style.left = overview ? "" : (innerWidth - 1280 * scale) / 2 + "px";
  stage.style.top = overview ? "" : (innerHeight - 720 * scale) / 2 + "px";
}

// The window is about:blank, which belongs to the page that opened it: from a file too, the deck writes right into it.
function openSpeaker() {
  if (speaker && !speaker.closed) return speaker.focus();
  speaker = window.open("", "", "popup,width=1240,height=760");
  if (!speaker) return alert("The browser blocked the speaker's window: allow pop-ups for this page, then press S again.");
  speaker.document.write(`<!doctype html><html lang="en"><head><title>Notes: ${document.title}</title></head>
    <body class="speaker"><div class="previews"><p class="label">Now <span id="place"></span></p><div id="now" class="preview"></div>
    <p class="label">Next</p><div id="next" class="preview"></div></div><div class="side"><p class="clocks">
    <span id="clock"></span><button id="timer" title="start the timer again">0:00</button></p><div id="notes"></div></div></body></html>`);
  speaker.document.close();
  speaker.document.head.append(document.querySelector("style").cloneNode(true));
  speaker.document.getElementById("timer").addEventListener("click", () => { started = Date.now(); tick(); });
  speaker.addEventListener("keydown", onKey);
  showSpeaker();
  tick();
}

function showSpeaker() {
  if (!speaker || speaker.closed) return;
  const byId = id => speaker.document.getElementById(id);
  const page = deck.pages[deck.at], more = deck.step < page.steps.length;
  const show = (id, shown, step) => {
    const clone = shown ? shown.cloneNode(true) : make("section", "page", make("div", "area", "The end"));
    showSteps(clone, step);
    byId(id).replaceChildren(speaker.document.adoptNode(clone));
  };
  show("now", page, deck.step);
  show("next", more ? page : deck.pages[deck.at + 1], more ? deck.step + 1 : 0);
  byId("place").textContent = `${deck.at + 1} of ${deck.pages.length}` + (page.steps.length ? `, step ${deck.step} of ${page.steps.length}` : "");
  const general = deck.general.filter(note => !page.notes.includes(note));
  const texts = [...page.notes, ...general].map(note => speaker.document.importNode(note, true));
  const pictures = [...page.querySelectorAll("img")].map(image => make("p", "described", "In the picture: " + image.alt));
  byId("notes").replaceChildren(...texts.slice(0, page.notes.length), ...pictures.map(text => speaker.document.adoptNode(text)),
                                ...texts.slice(page.notes.length));
}

function tick() {
  if (!speaker || speaker.closed) return;
  const seconds = started ? Math.floor((Date.now() - started) / 1000) : 0;
  speaker.document.getElementById("clock").textContent = new Date().toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  speaker.document.getElementById("timer").textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
}

async function start() {
  document.documentElement.classList.add("live");
  await Promise.all([...source.querySelectorAll("img")].map(image => image.decode().catch(() => {})));
  await document.fonts.ready;
  source.querySelectorAll("pre").forEach(pre => { pre.tabIndex = -1; });
  const notes = [...source.querySelectorAll(".notes")];
  const content = [...source.querySelectorAll(":scope > section > :not(.notes)")];
  deck.content = {letters: content.reduce((sum, node) => sum + letters(node), 0), pictures: source.querySelectorAll("img").length};
  deck.pages = part();
  // Notes of the first slide, or of a slide after a quiz, are for the whole lesson: they stay in sight.
  deck.general = notes.filter(note => !note.closest(".question") || note.matches(".notes ~ .notes"));
  source.remove();
  deck.pages.forEach((page, index) => {
    const words = page.querySelector(".heading").textContent.trim(), name = document.title;
    page.setAttribute("aria-roledescription", "slide");
    page.setAttribute("aria-label", `${index + 1} of ${deck.pages.length}: ${words}`);
    page.append(make("footer", "", make("span", "", words.startsWith(name) ? "" : name), make("span", "", `${index + 1}`)));
    const frame = make("div", "frame", page);
    frame.addEventListener("click", () => {
      if (!document.body.classList.contains("overview")) return;
      document.body.classList.remove("overview");
      resize();
      go(index);
    });
    stage.append(frame);
  });
  stage.id = "stage";
  bar.id = "bar";
  help.id = "help";
  status.setAttribute("role", "status");
  for (const [key, what] of HELP) help.append(make("p", "", make("kbd", "", key), " " + what));
  const buttons = make("nav", "", ...[["‹", "back", back], ["›", "go on", next], ["?", "keys", () => toggle("helping")]].map(([sign, label, action]) => {
    const button = make("button", "", sign);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => { action(); button.blur(); });
    return button;
  }));
  document.body.append(stage, bar, buttons, help, status);

  // A heading takes one line: it is measured where it stands.
  for (const page of deck.pages) {
    page.parentElement.classList.add("now");
    const line = page.querySelector(".heading > *");
    if (line && !shrink(line, () => line.scrollWidth <= line.clientWidth + 1, 20)) {
      line.classList.add("two-lines");
      shrink(line, () => line.offsetHeight <= 52, 12);
    }
    page.parentElement.classList.remove("now");
  }
  let touched = null;
  addEventListener("touchstart", event => { touched = event.touches[0].clientX; }, {passive: true});
  addEventListener("touchend", event => {
    const way = event.changedTouches[0].clientX - touched;
    if (Math.abs(way) > 60) (way < 0 ? next : back)();
  });
  addEventListener("keydown", onKey);
  addEventListener("resize", resize);
  addEventListener("beforeprint", () => deck.pages.forEach(page => showSteps(page, Infinity)));
  addEventListener("afterprint", () => deck.pages.forEach((page, at) => showSteps(page, at === deck.at ? deck.step : 0)));
  addEventListener("pagehide", () => speaker && speaker.close());
  setInterval(tick, 1000);
  resize();
  go((parseInt(location.hash.slice(1), 10) || 1) - 1);
  started = null;
  document.documentElement.dataset.ready = deck.pages.length;
}

Object.assign(window, {deck: Object.assign(deck, {go, next, back, showSteps})});
addEventListener("load", start);
