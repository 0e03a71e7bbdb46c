"""Configs: dataclass defaults ← YAML files, which may inherit ← ``key=value`` overrides; merged by OmegaConf.

Frozen dataclasses are the schema. A field of a registered part (made by `part`) takes the schema of the part
that its ``name`` key names, so every part brings its own keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from flatsort.tracker.plain_yaml import plain, read_mapping, read_value
from flatsort.tracker.registry import PartConfig, Registry, suggest

C = TypeVar("C")

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
"""Folder of the YAML files that come with the project."""
SUFFIXES = (".yaml", ".yml")
FOREIGN = (TypeError, AttributeError, KeyError, AssertionError, OverflowError, RecursionError)
"""What OmegaConf raises, beside errors of its own, for values of another shape than it expects."""
DEFERRED = "settings"
"""Key of a part's config that takes the keys of another part, which is chosen later (`AutoDetectorConfig`)."""


def part(registry: Registry[Any], default: PartConfig) -> Any:
    """A dataclass field that holds the config of a registered part."""
    return field(default=default, metadata={"registry": registry})


def names(kind: str) -> list[str]:
    """Names of the configs that come with the project under ``configs/<kind>/``, sorted.

    Files whose names begin with an underscore serve as ``base`` of others only, and are left out.
    """
    return sorted(name for name in _shipped(kind) if not name.startswith("_"))


def find(kind: str, name: str | Path) -> Path:
    """Path of the config that ``name`` means: a file of its own, or a name under ``configs/<kind>/``.

    Raises
    ------
    ValueError
        If there is neither; the sentence lists the known names.
    """
    path = Path(name)
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise ValueError(f"config {path}: no such file")
        return path
    if str(name) not in names(kind):
        raise ValueError(f"unknown {kind} config {str(name)!r}{suggest(str(name), names(kind))}, or a FILE.yaml")
    return _shipped(kind)[str(name)]


def load(
    cls: type[C],
    path: Path | None = None,
    overrides: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    given_by: str = "command line",
) -> C:
    """A checked instance of ``cls``.

    Parameters
    ----------
    cls : type
        Frozen dataclass: schema and defaults.
    path : Path, optional
        YAML with differences from the defaults, or, where it says ``base: NAME`` or ``base: FILE.yaml``, from another
        config of the same kind (a name under ``configs/``, or a file beside it). A mapping of named parts (``stages``)
        replaces the default one; it is merged with that of a base by name, new parts come after the base's, and
        ``NAME: null`` removes one. A registered part (``motion``, ``model``) of another name than in the base keeps
        those keys of the base that it has, too.
    overrides : sequence of str
        ``key=value`` in dotted notation (``lifecycle.max_age=2s``), applied last; the value is read as YAML.
    values : mapping, optional
        Dotted key → value that is taken as it is, applied before ``overrides``.
    given_by : str
        Where the last two come from, for messages.

    Raises
    ------
    ValueError
        If the YAML does not parse (the sentence names file and line), there is no such base, a key is unknown or a
        value does not fit.
    """
    from_file = _read_with_bases(cls, path) if path is not None else OmegaConf.create()
    from_user = _parse(overrides, values or {}, given_by)
    config = OmegaConf.structured(cls)
    OmegaConf.set_readonly(config, False)
    for origin, changes in ((str(path), from_file), (given_by, from_user)):
        try:
            for f in fields(cls):  # type: ignore[arg-type]  # C is a dataclass; a TypeVar cannot say so
                if "registry" in f.metadata:
                    _choose_part(config, f.name, f.metadata["registry"], changes)
                elif is_dataclass(OmegaConf.get_type(config, f.name)) and f.name in changes:
                    _require_mapping(changes[f.name], f.name)
                elif OmegaConf.get_type(config, f.name) is dict and f.name in changes:
                    _require_mapping(changes[f.name], f.name)
                    if changes is from_user:
                        _refuse_new(config[f.name], changes[f.name], f.name)
                        _remove_nulls(config[f.name], changes[f.name])
                    else:
                        config[f.name] = {}
            config = OmegaConf.merge(config, changes)
        except (OmegaConfBaseException, ValueError, *FOREIGN) as error:
            raise ValueError(f"{origin}: {_sentence(error)}") from error
    try:
        return OmegaConf.to_object(config)  # type: ignore[return-value]
    except (OmegaConfBaseException, ValueError, *FOREIGN) as error:
        if path is not None and from_user:
            load(cls, path)  # where the file alone is wrong, it is named
        origin = given_by if from_user else str(path or "config")
        raise ValueError(f"{origin}: {_sentence(error)}") from error


def override(config: C, overrides: Sequence[str]) -> C:
    """The config with ``key=value`` overrides; raises as `load` does."""
    # an instance serves as a schema whose defaults are its own values
    return load(cast("type[C]", config), None, overrides)


def settings(overrides: Sequence[str]) -> dict[str, Any]:
    """``key=value`` texts as a nested mapping, each value read as YAML.

    Raises
    ------
    ValueError
        If one is no ``key=value`` or its value is not valid YAML.
    """
    return cast("dict[str, Any]", OmegaConf.to_container(_parse(overrides, {})))


def dump(config: Any) -> str:
    """The resolved config as YAML text."""
    return OmegaConf.to_yaml(OmegaConf.create(_showable(to_mapping(config))))


def to_mapping(config: Any) -> dict[str, Any]:
    """The resolved config as plain values, for JSON."""
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.structured(config)))


def restore_part(registry: Registry[Any], values: Mapping[str, Any]) -> PartConfig:
    """The config of a registered part from what `to_mapping` gave.

    Raises
    ------
    ValueError
        If the part or a key is unknown or a value does not fit.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"expected a mapping of a part's keys, got {type(values).__name__}")
    schema = OmegaConf.structured(registry.config(str(values.get("name"))))
    OmegaConf.set_readonly(schema, False)
    given = plain(dict(values), "config")
    try:
        return cast("PartConfig", OmegaConf.to_object(OmegaConf.merge(schema, given)))
    except (OmegaConfBaseException, ValueError, *FOREIGN) as error:
        raise ValueError(_sentence(error)) from error


def _showable(value: Any) -> Any:
    """A value in which names of files that are no text are escaped."""
    if isinstance(value, dict):
        return {key: _showable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_showable(each) for each in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _shipped(kind: str) -> dict[str, Path]:
    """Name → file of the configs of a kind that come with the project."""
    return {path.stem: path for path in (CONFIGS / kind).glob("*.yaml")}


def _load_yaml(path: Path) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except OmegaConfBaseException as error:
        raise ValueError(_sentence(error)) from error


def _read_with_bases(cls: type, path: Path, derived: tuple[Path, ...] = ()) -> DictConfig:
    """The values of a file merged over those of its base, of its base's base, and so on."""
    values = OmegaConf.create(read_mapping(path, _load_yaml))
    base = values.pop("base", None)
    if base is None:
        return values
    parent = _find_base(path, str(base), getattr(cls, "KIND", ""))
    chain = (*derived, path.resolve())
    if parent.resolve() in chain:
        raise ValueError(f"{path}: expected a base that does not lead back to the file, got {base}")
    inherited = _read_with_bases(cls, parent, chain)
    try:
        return _over_base(cls, inherited, values)
    except (OmegaConfBaseException, ValueError, *FOREIGN) as error:
        raise ValueError(f"{path}: {_sentence(error)}") from error


def _over_base(cls: type, inherited: DictConfig, values: DictConfig) -> DictConfig:
    """The values of a file merged over those of its base."""
    for f in fields(cls):
        if "registry" in f.metadata:
            for each in (inherited, values):  # "motion: xyah" is short for "motion: {name: xyah}"
                if isinstance(each.get(f.name), str):
                    each[f.name] = {"name": each[f.name]}
            _drop_foreign_keys(f.metadata["registry"], inherited.get(f.name), values.get(f.name))
    merged, schema = cast("DictConfig", OmegaConf.merge(inherited, values)), OmegaConf.structured(cls)
    for f in fields(cls):
        if OmegaConf.get_type(schema, f.name) is dict and isinstance(merged.get(f.name), DictConfig):
            merged[f.name] = {key: value for key, value in merged[f.name].items() if value is not None}
    return merged


def _drop_foreign_keys(registry: Registry[Any], inherited: Any, chosen: Any) -> None:
    """Take the keys from an inherited part that the part which is chosen in its place does not have."""
    if not (isinstance(inherited, DictConfig) and isinstance(chosen, DictConfig) and "name" in chosen):
        return
    if inherited.get("name") != chosen.name:
        known = OmegaConf.structured(registry.config(chosen.name))
        for key in [key for key in inherited if key not in known]:
            del inherited[key]


def _find_base(path: Path, base: str, kind: str) -> Path:
    """The file that ``base`` in the file ``path`` means."""
    if Path(base).suffix in SUFFIXES:
        parent = path.parent / base
        if not parent.is_file():
            raise ValueError(f"{path}: base {parent}: no such file")
        return parent
    shipped = _shipped(kind) if kind else {}
    if base not in shipped:
        raise ValueError(f"{path}: unknown base {base!r}{suggest(base, shipped)}, or a FILE.yaml")
    return shipped[base]


def _parse(overrides: Sequence[str], values: Mapping[str, Any], given_by: str = "command line") -> DictConfig:
    parsed = OmegaConf.create()
    for key, value in values.items():
        _set(parsed, key, plain(value, given_by, key))
    for item in overrides:
        key, equals, text = item.partition("=")
        if not equals or not all(key.split(".")) or key.startswith("["):
            raise ValueError(f"override {item!r}: expected key=value, for example lifecycle.max_age=30")
        value = read_value(text, f"override {item!r}")
        try:
            _set(parsed, key, value)
        except (OmegaConfBaseException, *FOREIGN) as error:
            raise ValueError(f"override {item!r}: {_sentence(error)}") from error
    return parsed


def _set(values: DictConfig, key: str, value: Any) -> None:
    head, dot, _ = key.partition(".")
    if dot and isinstance(values.get(head), str):  # "motion=xyah motion.position=0.1", in either order
        values[head] = {"name": values[head]}
    elif not dot and isinstance(values.get(key), DictConfig):
        key = f"{key}.name"
    OmegaConf.update(values, key, value, force_add=True)


def _choose_part(config: DictConfig, key: str, registry: Registry[Any], values: DictConfig) -> None:
    chosen, current = values.get(key), config[key]
    if isinstance(chosen, str):  # "motion: xyah" is short for "motion: {name: xyah}"
        values[key] = chosen = OmegaConf.create({"name": chosen})
    if chosen is None:
        return
    _require_mapping(chosen, key)
    if not isinstance(chosen.get("name", ""), str):
        raise ValueError(f"{key}.name: expected the name of a part, got {chosen.name!r}")
    if chosen.get("name", current.name) != current.name:
        if DEFERRED in current:  # keys that were set before the part was named
            values[key] = OmegaConf.merge(OmegaConf.create(dict(current[DEFERRED])), chosen)
        config[key] = OmegaConf.structured(registry.config(chosen.name)(name=chosen.name))
        OmegaConf.set_readonly(config[key], False)
    elif DEFERRED in current:
        own = {name: value for name, value in chosen.items() if name in current}
        later = {name: value for name, value in chosen.items() if name not in current}
        if later:
            known = {f.name for name in registry.names() for f in fields(registry.config(name))}
            _refuse_new(dict.fromkeys(known), later, key)
        values[key] = OmegaConf.create({**own, DEFERRED: {**own.get(DEFERRED, {}), **later}})


def _require_mapping(value: Any, where: str) -> None:
    if not isinstance(value, DictConfig):
        got = "a list" if isinstance(value, ListConfig) else repr(value)
        raise ValueError(f"{where}: expected a mapping of names, got {got}")


def _refuse_new(known: Collection[Any], given: Any, where: str) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"unknown key '{where}.{name}'{suggest(str(name), map(str, known))}")


def _remove_nulls(known: DictConfig, given: DictConfig) -> None:
    """Take out the named parts that are given as null."""
    for name in [name for name, value in given.items() if value is None]:
        del known[name], given[name]


def _sentence(error: Exception) -> str:
    text = str(error).split("\n", maxsplit=1)[0]
    if isinstance(error, ConfigKeyError) and error.full_key:
        hint = text.partition("Did you mean")[2]
        keys = [] if error.parent_node is None else [str(key) for key in cast("dict[str, Any]", error.parent_node)]
        known = f"; did you mean{hint}" if hint else f" (known: {', '.join(keys)})"
        return f"unknown key '{error.full_key}'{known}"
    key = getattr(error, "full_key", None)
    return f"{key}: {text}" if key else text
