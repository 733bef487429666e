"""The documents of all rows: vehicle registrations of about 300 bytes of Ion binary, as in QLDB's own tutorial."""

from __future__ import annotations

from decimal import Decimal

from qldb_emulator.ion.values import IonValue, Timestamp

TABLE = "VehicleRegistration"
INDEXED = "VIN"
CITIES = ("Seattle", "Tacoma", "Olympia", "Everett", "Spokane", "Yakima", "Bellevue")


def vin(number: int) -> str:
    """Return the VIN of a registration: 17 characters, different for different numbers."""
    return f"1N4AL11D{number:09d}"


def registration(number: int) -> dict[str, IonValue]:
    """Return a registration; the same number gives the same document."""
    return {
        "VIN": vin(number),
        "LicensePlateNumber": f"LEWISR{number:07d}",
        "State": "WA",
        "City": CITIES[number % len(CITIES)],
        "Mileage": number,
        "PendingPenaltyTicketAmount": Decimal(9000 + number % 1000).scaleb(-2),
        "ValidFromDate": Timestamp("day", 2017, 8, 21),
        "ValidToDate": Timestamp("day", 2020, 5, 11),
        "Owners": {
            "PrimaryOwner": {"PersonId": f"GddsXfIYfDlKCEprOLOw{number % 100:02d}"},
            "SecondaryOwners": [{"PersonId": f"IN7MvYtUjkp1GMZu0F6C{number % 100:02d}"}],
        },
    }
