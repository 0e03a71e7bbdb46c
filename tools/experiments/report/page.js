"use strict";
// Shared by all parts of the page. Names from the data become text only, never markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 7;
const DASHES = ["", "7 4", "2 3", "10 3 2 3"];

const byId = (id) => document.getElementById(id);

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Colour and dashes of the system at a position.
function lineStyle(position) {
  return { colour: `var(--c${position % COLOURS})`, dash: DASHES[Math.floor(position / COLOURS) % DASHES.length] };
}

// A drop-down list; calls back with the chosen position, and once at the start.
function choice(select, names, changed) {
  select.replaceChildren(...names.map((name, position) => html("option", { value: position }, name)));
  select.addEventListener("change", () => changed(select.selectedIndex));
  changed(0);
}

function shown(column, value) {
  if (value === undefined || value === null) return "–";
  if (Number.isInteger(value) && DATA.counts.includes(column.key)) return String(value);
  const digits = column.key === "far" ? 2 : column.key.endsWith("_us") ? 0 : 1;
  return value.toFixed(digits).replace("-", "−");
}

const SEQUENCES = DATA.sequences.map((each) => each.name);
const POOLED = ["all, pooled", ...SEQUENCES];

// Scores of a system, pooled at 0 and of each sequence after it.
const scoresOf = (system, position) => (position === 0 ? system.overall : system.scores[position - 1]);
