// HOTA, DetA and AssA over the localisation threshold, one line per system.

const PLOT = { width: 360, height: 240, left: 30, right: 12, top: 8, bottom: 28 };

const plotX = (alpha) => PLOT.left + alpha * (PLOT.width - PLOT.left - PLOT.right);
const plotY = (percent) => PLOT.height - PLOT.bottom - (percent / 100) * (PLOT.height - PLOT.top - PLOT.bottom);

function axes() {
  const steps = [0, 0.2, 0.4, 0.6, 0.8, 1];
  return steps.flatMap((step) => [
    svg("line", { class: "grid", x1: plotX(0), x2: plotX(1), y1: plotY(100 * step), y2: plotY(100 * step) }),
    svg("text", { x: PLOT.left - 4, y: plotY(100 * step) + 4, "text-anchor": "end" }, String(100 * step)),
    svg("text", { x: plotX(step), y: PLOT.height - PLOT.bottom + 14, "text-anchor": "middle" }, step === 0 ? "0" : step.toFixed(1)),
  ]);
}

function curve(system, index, position, kind) {
  const values = system.hota[position][kind];
  const points = values.map((value, step) => `${plotX(DATA.alphas[step]).toFixed(1)},${plotY(value).toFixed(1)}`);
  const { colour, dash } = lineStyle(index);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const line = svg("polyline", { class: "curve", points: points.join(" "), "stroke-dasharray": dash || null });
  line.style.stroke = colour;
  line.append(svg("title", {}, `${system.name} ${mean.toFixed(1)}`));
  return line;
}

function curveChart(position, kind, drawn) {
  const lines = DATA.systems.flatMap((system, index) => (drawn[index] ? [curve(system, index, position, kind)] : []));
  const name = DATA.curves[kind];
  const chart = svg(
    "svg",
    { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", "aria-label": `${name} over α` },
    ...axes(),
    svg("text", { x: plotX(0.5), y: PLOT.height - 2, "text-anchor": "middle" }, "α"),
    ...lines,
  );
  return html("div", {}, html("h3", {}, name), chart);
}

function legendEntry(system, index, drawn, redraw) {
  const box = html("input", { type: "checkbox", checked: true });
  box.addEventListener("change", () => {
    drawn[index] = box.checked;
    redraw();
  });
  const { colour, dash } = lineStyle(index);
  const sample = svg("line", { x1: 0, x2: 28, y1: 5, y2: 5, "stroke-width": 2.5, "stroke-dasharray": dash || null });
  sample.style.stroke = colour;
  const mean = html("span", { class: "tag" });
  const entry = html("label", {}, box, svg("svg", { width: 28, height: 10, "aria-hidden": "true" }, sample), system.name, mean);
  return { entry, mean };
}

function drawCurves() {
  let position = 0;
  const drawn = DATA.systems.map(() => true);
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const legend = DATA.systems.map((system, index) => legendEntry(system, index, drawn, draw));
  byId("hota-systems").append(...legend.map((each) => each.entry));
  function draw() {
    legend.forEach(({ mean }, index) => {
      mean.textContent = average(DATA.systems[index].hota[position][0]).toFixed(1);
    });
    byId("hota-charts").replaceChildren(...DATA.curves.map((_, kind) => curveChart(position, kind, drawn)));
  }
  choice(byId("hota-sequence"), POOLED, (chosen) => {
    position = chosen;
    draw();
  });
}
