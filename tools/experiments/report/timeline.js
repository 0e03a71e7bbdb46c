// Identities over time: a lane for each identity of the ground truth, a mark for each switch.

const LANE = 18;
const AXIS = 20;

function ticks(frames, width) {
  const rough = (frames * 70) / width;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  return Array.from({ length: Math.floor(frames / step) }, (_, index) => (index + 1) * step);
}

function segment([lane, first, last, colour, label], across) {
  const missed = colour < 0;
  const bar = svg("rect", {
    x: across(first - 1).toFixed(1),
    width: Math.max(across(last) - across(first - 1), 0.5).toFixed(1),
    y: lane * LANE + (missed ? 8 : 4),
    height: missed ? 2 : 10,
    class: missed ? "miss" : "covered",
  });
  if (!missed) bar.style.fill = `var(--c${colour})`;
  bar.append(svg("title", {}, `${missed ? "missed" : `id ${label}`}, frames ${first} to ${last}`));
  return bar;
}

function mark(each, index, across, chosen) {
  const x = across(each.after.frame - 1);
  const y = each.lane * LANE;
  const label = `frame ${each.after.frame}: identity ${each.identity} from id ${each.before.track} to id ${each.after.track}`;
  const made = svg(
    "g",
    { class: "mark", role: "button", tabindex: -1, "aria-label": label },
    svg("rect", { class: "hit", x: x - 8, y, width: 16, height: LANE }),
    svg("path", { class: "tip", d: `M${x - 5} ${y + 1}h10l-5 9z` }),
    svg("title", {}, label),
  );
  made.addEventListener("click", () => chosen(index));
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    chosen(index);
  });
  return made;
}

// The lanes of a timeline as one drawing, and its marks.
function lanes(timeline, frames, width, chosen) {
  const across = (frame) => (frame / frames) * width;
  const bottom = timeline.identities.length * LANE;
  const marks = timeline.switches.map((each, index) => mark(each, index, across, chosen));
  const grid = ticks(frames, width).flatMap((frame) => [
    svg("line", { class: "grid", x1: across(frame), x2: across(frame), y1: 0, y2: bottom }),
    svg("text", { x: across(frame) - 2, y: bottom + 14, "text-anchor": "end" }, String(frame)),
  ]);
  const drawing = svg(
    "svg",
    {
      width,
      height: bottom + AXIS,
      viewBox: `0 0 ${width} ${bottom + AXIS}`,
      preserveAspectRatio: "none",
      role: "group",
      "aria-label": "lanes of identities over frames",
    },
    ...grid,
    ...timeline.segments.map((each) => segment(each, across)),
    ...marks,
  );
  return { drawing, marks };
}

function summary(system, sequence, timeline) {
  const count = timeline.switches.length;
  const parts = [
    `${system.name} on ${sequence.name}: ${timeline.identities.length} identities, ${count} switch${count === 1 ? "" : "es"}.`,
  ];
  if (sequence.missing && count > 0) parts.push(`No crops: ${sequence.missing}.`);
  else if (timeline.withCrops < count) parts.push(`To keep the page small, only the first ${timeline.withCrops} switches have crops.`);
  if (system.seeds.length > 1) parts.push(`Training seed ${system.seeds[0]}.`);
  return parts.join(" ");
}

function drawIdentities() {
  const view = { system: 0, sequence: 0, current: -1, width: 0, marks: [] };
  const scroll = byId("lanes-scroll");
  const zoom = byId("identities-zoom");
  const panel = switchPanel((step) => walk(step));
  const timelineOf = () => DATA.systems[view.system].timelines[view.sequence];

  function draw() {
    const timeline = timelineOf();
    view.width = scroll.clientWidth;
    const { frames } = DATA.sequences[view.sequence];
    const drawn = lanes(timeline, Math.max(frames, 1), Math.max(view.width * zoom.value, 100), choose);
    view.marks = drawn.marks;
    byId("lanes").replaceChildren(drawn.drawing);
    byId("lanes-names").replaceChildren(...timeline.identities.map((identity) => html("div", {}, String(identity))));
    markCurrent();
  }

  // The tab key reaches one mark only: the current one, or the first.
  function markCurrent() {
    view.marks.forEach((each, index) => {
      each.setAttribute("tabindex", index === Math.max(view.current, 0) ? 0 : -1);
      each.toggleAttribute("aria-current", index === view.current);
    });
  }

  function choose(index) {
    const focused = view.marks.includes(document.activeElement);
    view.current = index;
    markCurrent();
    panel.show(timelineOf(), index);
    view.marks[index].scrollIntoView({ block: "center", inline: "center" });
    if (focused) view.marks[index].focus({ preventScroll: true });
    panel.reveal();
  }

  function walk(step) {
    const count = timelineOf().switches.length;
    if (count === 0) return;
    const next = view.current < 0 ? (step > 0 ? 0 : count - 1) : view.current + step;
    if (next >= 0 && next < count) choose(next);
  }

  function open() {
    view.current = -1;
    panel.hide();
    byId("identities-summary").textContent = summary(DATA.systems[view.system], DATA.sequences[view.sequence], timelineOf());
    draw();
  }

  const chooser = (key) => (chosen) => {
    view[key] = chosen;
    open();
  };
  choice(byId("identities-system"), DATA.systems.map((each) => each.name), chooser("system"));
  choice(byId("identities-sequence"), SEQUENCES, chooser("sequence"));
  zoom.addEventListener("input", draw);
  new ResizeObserver(() => {
    if (scroll.clientWidth !== view.width) draw();
  }).observe(scroll);
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const elsewhere = event.target.closest?.("input, select, .wide");
    if (!step || elsewhere || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    walk(step);
  });
}
