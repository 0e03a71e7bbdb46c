// The table, and bar charts for each sequence.

const BARS = ["idf1", "hota", "mota", "ids"];

function about() {
  const frames = DATA.sequences.reduce((sum, each) => sum + each.frames, 0);
  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  byId("about").textContent =
    `${plural(DATA.systems.length, "system")} on ${plural(SEQUENCES.length, "sequence")} ` +
    `(${plural(frames, "frame")}), detections: ${DATA.detections}`;
  byId("systems").append(...DATA.systems.flatMap((each) => [html("dt", {}, each.name), html("dd", {}, each.description)]));
  byId("notes").append(...DATA.notes.map((note) => html("li", {}, note)));
  const seeded = DATA.systems.some((each) => each.seeds.length > 1);
  byId("table-note").textContent = seeded
    ? " Scores are means over the training seeds; curves and identities are those of the first seed."
    : "";
}

function tableRows(position) {
  const rows = DATA.systems.map((each) => ({ ...each, values: scoresOf(each, position), published: false }));
  if (position > 0) return rows;
  return rows.concat(DATA.published.map((each) => ({ ...each, values: each.scores, published: true })));
}

// The best printed value of each column among the measured systems; null where all are equal.
function bestOf(rows) {
  const measured = rows.filter((row) => !row.published);
  return DATA.columns.map((column) => {
    const values = measured.map((row) => row.values[column.key]);
    if (!column.better || values.length < 2) return null;
    const best = shown(column, column.better === "high" ? Math.max(...values) : Math.min(...values));
    return values.every((value) => shown(column, value) === best) ? null : best;
  });
}

// Order of two values; missing ones come last in either direction.
function compared(a, b, descending) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  return descending ? -order : order;
}

function sorted(rows, sort) {
  if (sort === null) return rows;
  const value = (row) => (sort.column < 0 ? row.name : row.values[DATA.columns[sort.column].key]);
  return [...rows].sort((one, other) => compared(value(one), value(other), sort.descending));
}

function bodyRow(row, best) {
  const tags = [row.learned, row.published ? `published, ${row.split}` : "", row.seeds?.length > 1 ? `${row.seeds.length} seeds` : ""];
  const head = html("th", { scope: "row" }, row.name, ...tags.filter(Boolean).map((tag) => html("span", { class: "tag" }, tag)));
  const cells = DATA.columns.map((column, index) => {
    const text = shown(column, row.values[column.key]);
    return html("td", { class: !row.published && text === best[index] ? "best" : null }, text);
  });
  return html("tr", { class: row.published ? "published" : null }, head, ...cells);
}

function drawTable() {
  let position = 0;
  let sort = null;
  const heads = [{ head: "system", better: "low" }, ...DATA.columns].map((column, index) => {
    const button = html("button", { type: "button" }, column.head);
    button.addEventListener("click", () => {
      const same = sort !== null && sort.column === index - 1;
      sort = { column: index - 1, descending: same ? !sort.descending : column.better !== "low" };
      draw();
    });
    return html("th", { scope: "col" }, button);
  });
  const table = byId("table");
  table.tHead.append(html("tr", {}, ...heads));
  function draw() {
    heads.forEach((head, index) => {
      head.removeAttribute("aria-sort");
      if (sort?.column === index - 1) head.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
    });
    const rows = tableRows(position);
    const best = bestOf(rows);
    table.tBodies[0].replaceChildren(...sorted(rows, sort).map((row) => bodyRow(row, best)));
  }
  choice(byId("scores-sequence"), POOLED, (chosen) => {
    position = chosen;
    draw();
  });
}

function barChart(title, position, column) {
  const values = DATA.systems.map((system) => scoresOf(system, position)[column.key]);
  const most = column.key === "ids" ? Math.max(...values, 1) : 100;
  const bars = DATA.systems.map((system, index) => {
    const bar = html("i");
    bar.style.width = `${(100 * Math.max(values[index], 0)) / most}%`;
    bar.style.background = lineStyle(index).colour;
    return html("div", { class: "bar" }, html("span", {}, system.name), html("span", {}, bar), html("span", {}, shown(column, values[index])));
  });
  return html("div", {}, html("h3", {}, title), ...bars);
}

function drawBars() {
  const columns = BARS.map((key) => DATA.columns.find((column) => column.key === key));
  choice(byId("bars-metric"), columns.map((column) => column.head), (chosen) => {
    byId("bars-charts").replaceChildren(...POOLED.map((name, position) => barChart(name, position, columns[chosen])));
  });
}
