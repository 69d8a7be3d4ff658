"""Results that say in a few lines what they are, with the verdict first."""

from html import escape

import xarray as xr

from electjax.data.verdict import Verdict, attrs_of, verdict_of


class Finished(xr.Dataset):
    """A Dataset whose text is what it is, the verdict on it and its sizes, instead of every variable.

    It is an `xarray.Dataset` in all else; its `info()` lists the variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join([f"<{self.attrs.get('conventions', 'electjax')}>", *_lines(self)])

    def _repr_html_(self) -> str:
        told = "".join(f"<div>{escape(line)}</div>" for line in _lines(self))
        variables = xr.Dataset(self.data_vars, self.coords, self.attrs)._repr_html_()
        return f"<div>{told}<details><summary>all variables</summary>{variables}</details></div>"


def finished(result: xr.Dataset, *, about: str, verdict: Verdict | None = None) -> Finished:
    """A result with what it is in a line, and the verdict on it, in its attributes and in its text."""
    told = {} if verdict is None else attrs_of(verdict)
    return _finished(result.assign_attrs(about=about, **told))


def as_finished(result: xr.Dataset) -> xr.Dataset:
    """A result from a file, as the verb returned it; data stay as they are."""
    return _finished(result) if "about" in result.attrs and type(result) is xr.Dataset else result


def _finished(result: xr.Dataset) -> Finished:
    return Finished(result.data_vars, result.coords, result.attrs)


def _lines(result: xr.Dataset) -> list[str]:
    found = verdict_of(result.attrs)
    lines = found.lines if found else []
    lines.append(str(result.attrs.get("about", "")))
    if found and not found.reasons:
        lines.append(f"verdict: {found.level}")
    sizes = ", ".join(f"{name} {size:,}" for name, size in result.sizes.items())
    return [*lines, f"{len(result.data_vars)} variables over {sizes or 'no dims'}; info() lists them"]
