// The panel of one switch: its description, distances of its boxes, and crops.

const THRESHOLD = "Threshold: 1 % of the pairs of boxes in the same frame of this sequence are closer. The tracker may use another.";

function cropFigure(title, box) {
  const { frame, track, image } = box;
  const caption = html("figcaption", {}, html("strong", {}, title), ` id ${track}, frame ${frame}`);
  const crop =
    image === null
      ? html("div", { class: "none" }, "no crop")
      : html("img", { src: `data:image/jpeg;base64,${DATA.images[image]}`, alt: `${title}: id ${track} in frame ${frame}` });
  return html("figure", {}, crop, caption);
}

const matched = (box) => (box.identity === null ? "no identity of the ground truth" : `identity ${box.identity}`);

function description({ identity, before, after, earlier, now }) {
  const parts = [`Identity ${identity} was matched with id ${before.track} until frame ${before.frame}, and with id ${after.track} from frame ${after.frame} on.`];
  parts.push(
    earlier === null
      ? `Id ${after.track} is new.`
      : `Id ${after.track} was last in frame ${earlier.frame}, on ${matched(earlier)}.`,
  );
  parts.push(now === null ? `Id ${before.track} is not in this frame.` : `Id ${before.track} is now on ${matched(now)}.`);
  return parts.join(" ");
}

function distances({ before, after, earlier, toBefore, toEarlier }) {
  const number = (value, digits) => (value === null ? "unknown" : digits === null ? String(value) : value.toFixed(digits));
  const row = (name, comparison) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, name),
      html("td", {}, number(comparison.iou, 2)),
      html("td", {}, number(comparison.distance, null)),
      html("td", {}, number(comparison.relative, 2)),
    );
  const heads = ["new box and", "IoU", "latent distance", "distance / threshold"].map((head) => html("th", { scope: "col" }, head));
  return html(
    "table",
    { class: "distances" },
    html("thead", {}, html("tr", {}, ...heads)),
    html(
      "tbody",
      {},
      row(`id ${before.track}, frame ${before.frame}`, toBefore),
      earlier === null ? null : row(`id ${after.track}, frame ${earlier.frame}`, toEarlier),
    ),
  );
}

// The panel of a switch; `walk` gets −1 or 1.
function switchPanel(walk) {
  const panel = byId("switch");
  const title = html("h3");
  const previous = html("button", { type: "button" }, "← previous");
  const next = html("button", { type: "button" }, "next →");
  previous.addEventListener("click", () => walk(-1));
  next.addEventListener("click", () => walk(1));
  const body = html("div");
  panel.append(title, html("p", { class: "controls" }, previous, next), body);

  function show(timeline, index) {
    const each = timeline.switches[index];
    title.textContent = `Switch ${index + 1} of ${timeline.switches.length}: frame ${each.after.frame}`;
    previous.disabled = index === 0;
    next.disabled = index === timeline.switches.length - 1;
    const figures = [cropFigure("before", each.before), cropFigure("after", each.after)];
    if (each.earlier !== null) figures.push(cropFigure("the new id earlier", each.earlier));
    const hasCrops = [each.before, each.after, each.earlier].some((box) => box !== null && box.image !== null);
    const known = each.toBefore.relative !== null || (each.toEarlier?.relative ?? null) !== null;
    body.replaceChildren(
      html("p", {}, description(each)),
      html(
        "div",
        { class: "evidence" },
        html("div", { class: "crops" }, ...(hasCrops ? figures : [])),
        html("div", { class: "wide" }, distances(each), html("p", { class: "note" }, known ? THRESHOLD : "")),
      ),
    );
    panel.hidden = false;
  }

  return {
    show,
    hide: () => {
      panel.hidden = true;
    },
    reveal: () => {
      if (getComputedStyle(panel).position !== "sticky") panel.scrollIntoView({ block: "nearest" });
    },
  };
}
