"""How likely an order is fraud, from 0 to 1. A model would stand here."""

LARGE_ORDER_CENTS = 1_000_000


def score_of(order: dict) -> float:
    amount = min(order["amountCents"] / LARGE_ORDER_CENTS, 1.0)
    foreign_card = 1.0 if order["cardCountry"] != order["country"] else 0.0
    return round(0.5 * amount + 0.5 * foreign_card, 3)
