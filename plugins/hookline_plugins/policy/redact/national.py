"""National ids, a pack for each country: how they are written, and the check of their digits.

Most are a handful of digits with a checksum, and one number in ten or eleven passes that by chance. So a
pack is on only where its country is named.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from attrs import Factory, field, frozen
from stdnum import get_cc_module

__all__ = ["COUNTRIES", "NationalId"]

_ALONE: Final = r"(?<![\w-])(?:{})(?![\w-])"


def _standing_alone(national_id: "NationalId") -> re.Pattern[str]:
    return re.compile(_ALONE.format(national_id.written))


@frozen
class NationalId:
    """One id of one country.

    Attributes:
        module: that checks it, in the library ``stdnum``: ``"ssn"``.
        written: how, as a pattern that Python and RE2 both take.
        pattern: the same, standing alone.

    """

    module: str
    written: str
    pattern: re.Pattern[str] = field(init=False, default=Factory(_standing_alone, takes_self=True))

    def check_of(self, country: str) -> Callable[[str], bool]:
        """Return what says whether a text is such an id."""
        valid: Callable[[str], bool] = get_cc_module(country, self.module).is_valid  # type: ignore[union-attr]
        return valid


COUNTRIES: Final[Mapping[str, tuple[NationalId, ...]]] = {
    "AT": (NationalId("vnr", r"\d{4} ?\d{6}"),),
    "AU": (NationalId("tfn", r"\d{3} ?\d{3} ?\d{2,3}"),),
    "BE": (NationalId("nn", r"\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}"),),
    "BR": (NationalId("cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"),),
    "CA": (NationalId("sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}"),),
    "CH": (NationalId("ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),),
    "DE": (NationalId("idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),),
    "DK": (NationalId("cpr", r"\d{6}-?\d{4}"),),
    "ES": (
        NationalId("dni", r"\d{8}-?[A-Za-z]"),
        NationalId("nie", r"[XYZxyz]-?\d{7}-?[A-Za-z]"),
    ),
    "FI": (NationalId("hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]"),),
    "FR": (NationalId("nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}"),),
    "GB": (NationalId("nhs", r"\d{3} ?\d{3} ?\d{4}"),),
    "IN": (
        NationalId("aadhaar", r"\d{4} ?\d{4} ?\d{4}"),
        NationalId("pan", r"[A-Za-z]{5}\d{4}[A-Za-z]"),
    ),
    "IT": (NationalId("codicefiscale", r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]"),),
    "NL": (NationalId("bsn", r"\d{4}\.?\d{2}\.?\d{3}"),),
    "NO": (NationalId("fodselsnummer", r"\d{6} ?\d{5}"),),
    "PL": (NationalId("pesel", r"\d{11}"),),
    "PT": (NationalId("cc", r"\d{8} ?\d ?[A-Za-z0-9]{2}\d"),),
    "SE": (NationalId("personnummer", r"(?:\d{2})?\d{6}[-+]?\d{4}"),),
    "US": (NationalId("ssn", r"\d{3}-\d{2}-\d{4}"),),
}
"""The ids by the country's ISO code."""
