"""A picture is a Vega-Lite specification; this turns it into files and notebook output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ridgeline.charts.theme import config, painted
from ridgeline.errors import MissingExtraError, SpecError
from ridgeline.files import write_whole

__all__ = ["Chart"]

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
PICTURE_SUFFIXES = (".png", ".svg", ".html", ".pdf", ".json")
#: pixels a point in PNG files: sharp on dense screens and in print
_PNG_SCALE = 2.0


@dataclass(frozen=True, slots=True)
class Chart:
    """A Vega-Lite specification without its theme.

    Attributes
    ----------
    spec : dict   Marks, encodings and data; sizes in pixels, colours by their names in
                  `ridgeline.charts.theme`.
    """

    spec: dict[str, Any]

    def to_dict(self, *, dark: bool = False) -> dict[str, Any]:
        """The complete specification, with the light or the dark theme."""
        own = painted(self.spec, dark=dark)
        return {"$schema": _SCHEMA, **own, "config": config(dark=dark)}

    def to_bytes(self, suffix: str, *, dark: bool = False) -> bytes:
        """The picture in a file format.

        Parameters
        ----------
        suffix : str   ``.png``, ``.svg``, ``.html`` (offline), ``.pdf``, ``.json`` (Vega-Lite).
        dark : bool    Dark theme.

        Raises
        ------
        SpecError           Another suffix.
        MissingExtraError   The extra ``[charts]`` is not installed (``.json`` works without).
        """
        spec = self.to_dict(dark=dark)
        if suffix == ".json":
            return json.dumps(spec, indent=1, ensure_ascii=False).encode()
        if suffix not in PICTURE_SUFFIXES:
            known = ", ".join(PICTURE_SUFFIXES)
            other = f"not as {suffix!r}" if suffix else "and the name of the file must end in one"
            raise SpecError(f"Pictures can be written as {known}, {other}.")
        try:
            import vl_convert  # noqa: PLC0415  (optional and heavy)
        except ModuleNotFoundError:
            raise MissingExtraError(f"A {suffix[1:].upper()} picture", "charts") from None
        if suffix == ".png":
            return vl_convert.vegalite_to_png(spec, scale=_PNG_SCALE)
        if suffix == ".pdf":
            return vl_convert.vegalite_to_pdf(spec)
        if suffix == ".svg":
            return vl_convert.vegalite_to_svg(spec).encode()
        return vl_convert.vegalite_to_html(spec, bundle=True).encode()

    def save(self, path: str | Path, *, dark: bool = False) -> Path:
        """Write the picture, whole or not at all.

        Parameters
        ----------
        path : str or Path   Its suffix says the format: see `to_bytes`.
        dark : bool          Dark theme.

        Returns
        -------
        Path   Of the file.
        """
        path = Path(path)
        write_whole(path, self.to_bytes(path.suffix.lower(), dark=dark))
        return path

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show in notebooks that know Vega-Lite, as all common ones do."""
        return {"application/vnd.vegalite.v6+json": self.to_dict()}
