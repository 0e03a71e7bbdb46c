// One switch: what it was, how far its boxes are from each other, and its crops.

const LIMIT = "Limit: 1 % of the pairs of two boxes of one frame are closer, over this sequence. The system's own may be another.";

function still(title, sight) {
  const { frame, track, image } = sight;
  const caption = html("figcaption", {}, html("strong", {}, title), ` id ${track}, frame ${frame}`);
  const picture =
    image === null
      ? html("div", { class: "none" }, "no crop")
      : html("img", { src: `data:image/jpeg;base64,${DATA.images[image]}`, alt: `${title}: id ${track} in frame ${frame}` });
  return html("figure", {}, picture, caption);
}

const place = (sight) => (sight.truth === null ? "nobody of the ground truth" : `identity ${sight.truth}`);

function story({ truth, before, after, earlier, now }) {
  const parts = [`Identity ${truth} was covered by id ${before.track} until frame ${before.frame}, and by id ${after.track} from frame ${after.frame} on.`];
  parts.push(
    earlier === null
      ? `Id ${after.track} is new.`
      : `Id ${after.track} was seen before in frame ${earlier.frame}, on ${place(earlier)}.`,
  );
  parts.push(now === null ? `Id ${before.track} is not seen in this frame.` : `Id ${before.track} is now on ${place(now)}.`);
  return parts.join(" ");
}

function distances({ before, after, earlier, toBefore, toEarlier }) {
  const number = (value, digits) => (value === null ? "not known" : digits === null ? String(value) : value.toFixed(digits));
  const row = (name, found) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, name),
      html("td", {}, number(found.iou, 2)),
      html("td", {}, number(found.distance, null)),
      html("td", {}, number(found.share, 2)),
    );
  const heads = ["new box to", "IoU", "latent distance", "in limits"].map((head) => html("th", { scope: "col" }, head));
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
    const stills = [still("before", each.before), still("after", each.after)];
    if (each.earlier !== null) stills.push(still("the new id earlier", each.earlier));
    const pictured = [each.before, each.after, each.earlier].some((sight) => sight !== null && sight.image !== null);
    const known = each.toBefore.share !== null || (each.toEarlier?.share ?? null) !== null;
    body.replaceChildren(
      html("p", {}, story(each)),
      html(
        "div",
        { class: "evidence" },
        html("div", { class: "stills" }, ...(pictured ? stills : [])),
        html("div", { class: "wide" }, distances(each), html("p", { class: "note" }, known ? LIMIT : "")),
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
