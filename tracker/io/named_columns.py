"""Tables whose header names the columns, as our results and other tools write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np

from flatsort.tracker.io.box_rows import BoxRows
from flatsort.tracker.io.text_table import TextTable
from flatsort.tracker.types import Float

_NAMES: dict[str, str] = {
    "frame": "frame frameid frameno framenumber framenr frameindex frameidx fn",
    "id": "id trackid trackerid identity tid objectid objid targetid trackingid track instanceid personid",
    "left": "left x xmin x1 xtl minx xleft bbleft bboxleft boxleft bbx bboxx xmintl bboxx1 bbxmin bboxxmin",
    "top": "top y ymin y1 ytl miny ytop bbtop bboxtop boxtop bby bboxy bboxy1 bbymin bboxymin",
    "width": "width w bbwidth bboxwidth boxwidth bbw bboxw",
    "height": "height h bbheight bboxheight boxheight bbh bboxh",
    "x centre": "xc xcenter xcentre centerx centrex cx bboxxc bboxcx",
    "y centre": "yc ycenter ycentre centery centrey cy bboxyc bboxcy",
    "right": "right x2 xmax xbr maxx xright bbright bboxright bboxx2 bbxmax bboxxmax",
    "bottom": "bottom y2 ymax ybr maxy ybottom bbbottom bboxbottom bboxy2 bbymax bboxymax",
    "score": "score conf confidence prob probability detectionscore detectionconfidence consider",
    "class": "class classid cls clsid label labelid category categoryid objectcategory objectclass type",
    "name": "classname labelname categoryname",
    "visibility": "visibility vis visibilityratio",
}
ROLES = {spelling: role for role, spellings in _NAMES.items() for spelling in spellings.split()}
"""Name of a column in lower case, letters and digits only → what the column holds."""
_AXES = (("left", "right", "x centre", "width"), ("top", "bottom", "y centre", "height"))


def of_header(table: TextTable) -> BoxRows:
    """Rows of a table whose header names the columns."""
    places = _places(table)
    roles = list(places)
    words = places.get("name", places.get("class", -1))
    values = table.values(list(places.values()), words)
    n = len(values)

    def column(role: str, default: float) -> Float:
        return values[:, roles.index(role)] if role in places else np.full(n, default)

    with np.errstate(invalid="ignore", over="ignore"):
        (left, right), (top, bottom) = (_ends(column, places, axis) for axis in _AXES)
    classes, names = column("class", -1), {}
    if table.words and "class" in places and words != places["class"]:
        pairs = zip(classes.tolist(), table.words, strict=True)
        names = {int(number): word for number, word in pairs if number.is_integer()}
    elif table.words:
        classes, names = numbered_words(table.words)
    rest = np.column_stack([classes, column("visibility", 1)])
    has_class = bool({"class", "name"} & places.keys())
    return BoxRows(
        path=table.path,
        frames=column("frame", 0),
        ids=column("id", -1),
        boxes=np.column_stack([left, top, right, bottom]),
        scores=column("score", 1),
        rest=rest if has_class else rest[:, :0],
        columns=9 if has_class else 7,
        class_names=names,
        lines=table.lines,
        has_ids="id" in places,
    )


def _ends(column: Callable[[str, float], Float], places: Collection[str], axis: Sequence[str]) -> tuple[Float, Float]:
    """Both ends of the boxes along an axis; corners go before sizes, which may be those of the picture."""
    first, last, centre, size = axis
    if first not in places:
        half = column(size, 0) / 2
        return column(centre, 0) - half, column(centre, 0) + half
    low = column(first, 0)
    return low, column(last, 0) if last in places else low + column(size, 0)


def _places(table: TextTable) -> dict[str, int]:
    """What the columns of a header hold → their place.

    Raises
    ------
    ValueError
        If a column that is needed is missing, or two hold the same.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(table.header):
        role = ROLES.get(re.sub(r"[^a-z0-9]", "", name.lower()), "")
        if role in places:
            raise ValueError(
                f"{table.path}: expected one column of {role}, got {table.header[places[role]]} and {name}"
            )
        if role:
            places[role] = place
    missing = [] if "frame" in places else ["frame"]
    for first, last, centre, size in _AXES:
        by_centre = centre in places and first not in places
        needed = (centre, size) if by_centre else (first, last if last in places else size)
        missing += [role for role in needed if role not in places]
    if missing:
        got = ", ".join(table.header)[:120]
        raise ValueError(
            f"{table.path}: expected columns frame, left, top, width, height (or right, bottom) in its header, "
            f"got no {' and no '.join(missing)} among {got}"
        )
    return places


def numbered_words(words: Sequence[str]) -> tuple[Float, dict[int, str]]:
    """Numbers of classes that are given by name, from 1 on in the order of their first row, and their names."""
    order = list(dict.fromkeys(words))
    taken = {word: int(word) for word in order if word.isascii() and word.isdecimal() and len(word) < 10}
    free = (number for number in range(1, len(order) + len(taken) + 1) if number not in taken.values())
    numbers = {word: taken[word] if word in taken else next(free) for word in order}
    names = {number: word for word, number in numbers.items()}
    return np.array([numbers[word] for word in words], np.float64), names
