"""How orders respond to a price: learned within each item from its days at other prices, drawn towards its kind.

Plain arrays, tested without Spark. Orders of an item within a period are Poisson counts whose mean is the item's own
level times what the whole shop sold on those days times exp(elasticity * log(price / usual) + promotion * [on
promotion]): the regression of SCAN*PRO (Wittink, Addona, Hawkes and Porter, 1988), its counts Poisson so that days
without an order count too (Santos Silva and Tenreyro, 2006). Given the orders of a period, its level drops out
(conditional Poisson; Armstrong, Gasparrini and Tobias, 2014): neither an item's fame nor its rise and fall over the
seasons is taken for an effect of its price. What is on promotion the shop names, or a price far below the usual one
tells. A sale of the whole shop, the units of an order, other items' sales that it
takes, and orders that were only brought forward are not seen by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.stats import norm

ELASTICITY, PROMOTION = 0, 1
MOST_RATIO = 4.0
"""So many times the usual price, or so few, is a slip or a test order and no price of the shop's."""
_STEPS, _CLOSE, _LONGEST_STEP = 50, 1e-9, 1.0


@dataclass(frozen=True)
class Response:
    """What is believed of (elasticity, log lift of a promotion): normal, mean (2,) and covariance (2, 2)."""

    mean: np.ndarray
    covariance: np.ndarray

    def spread_by(self, variance: float, part: int = ELASTICITY) -> Response:
        """The same for a group whose elasticity, or lift, strays from this one's with a variance."""
        return Response(self.mean, self.covariance + np.diag(variance * (np.arange(2) == part)))


def log_change(responses: Sequence[Response], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (responses, rows) of the log of orders over those at the usual price; x (responses, rows, 2).

    Of each response its own rows of `design`, or differences of them: then over those at another price.
    """
    mean, covariance = np.stack([r.mean for r in responses]), np.stack([r.covariance for r in responses])
    return np.einsum("nri,ni->nr", x, mean), np.einsum("nri,nij,nrj->nr", x, covariance, x)


NEUTRAL = Response(np.array([-1.0, 0.0]), np.diag([2.0, 0.5]) ** 2)
"""Before any data: revenue stays the same whatever the price, and a shop may be far from that on either side."""

UNMOVED = Response(np.zeros(2), np.zeros((2, 2)))
"""Prices change nothing: what a response is judged against."""


@dataclass(frozen=True)
class Cells:
    """Orders by period and price: a row for each price that a period has seen, on promotion or not; all (rows,)."""

    stratum: np.ndarray
    """Whole numbers from 0; rows of one item and period share one."""
    log_ratio: np.ndarray
    """Logarithm of the price over the period's usual one."""
    is_promotion: np.ndarray
    """1 where the item was on promotion, else 0."""
    lines: np.ndarray
    """Orders at that price."""
    exposure: np.ndarray
    """What the whole shop sold on the days at that price."""

    def __len__(self) -> int:
        return len(self.lines)

    def taken(self, rows: np.ndarray) -> Cells:
        """Some rows, their strata numbered anew."""
        stratum = np.unique(self.stratum[rows], return_inverse=True)[1]
        return Cells(stratum, *(getattr(self, name)[rows] for name in COLUMNS[1:]))


COLUMNS = tuple(field.name for field in fields(Cells))


def offered(counts: np.ndarray, cents: np.ndarray, days: np.ndarray, reach: int, least_seen: int) -> np.ndarray:
    """The price of each day (days,), 0 where it is not known and of days that are not asked about.

    counts (prices, days): how often each of `cents` (prices,) was seen on each day; days (days,): which are asked about
    and alone tell one another's. The price of a day is the one seen most on it, at least `least_seen` times; where none
    is, within as few days of it as make one so, up to `reach`; of equals the greater one. One line
    at a special price is no price of the shop's.
    """
    made: np.ndarray = np.zeros(counts.shape[1], int)
    shown = counts * days
    if not len(cents) or shown.sum(1).max() < least_seen:
        return made
    order = np.argsort(-cents)
    for near in range(reach + 1):
        total = np.pad(shown[order], ((0, 0), (near + 1, near))).cumsum(1)
        seen = total[:, 2 * near + 1 :] - total[:, : -2 * near - 1]
        found = np.where(seen.max(0) >= least_seen, cents[order][seen.argmax(0)], 0)
        made = np.where((made > 0) | ~days, made, found)
        if made[days].all():
            break
    return made


def usual(prices: np.ndarray, promoted: np.ndarray, otherwise: int) -> int:
    """The price of most days (days,) whose price is known, of equals the greater one; `otherwise` where none is.

    Days that the shop itself names promotions, promoted (days,), tell it only where there are no others.
    """
    for days in (prices[(prices > 0) & ~promoted], prices[prices > 0]):
        found, count = np.unique(days, return_counts=True)
        if len(found):
            return int(found[len(found) - 1 - count[::-1].argmax()])
    return otherwise


@dataclass(frozen=True)
class Days:
    """What one item's days have seen, oldest first; all arrays (days,)."""

    prices: np.ndarray
    """See `offered`."""
    lines: np.ndarray
    """Orders of the item."""
    exposure: np.ndarray
    """What the whole shop sold."""
    promoted: np.ndarray | None
    """Days of promotions that the shop names; None where it names none."""


def cells(days_of: Days, period_days: int, least_known: float, promotion_from: float) -> tuple[Cells, int]:
    """Cells of one item's days, and its days at another price than usual or on a named promotion.

    Where the shop names no promotions, a price a share `promotion_from` below the usual one is one. Periods end with
    the last day. A period counts where the price is known on a share `least_known` of the days on which the
    shop sold anything, and where it saw more than one price, or one on promotion and not.
    """
    prices, lines, exposure, promoted = days_of.prices, days_of.lines, days_of.exposure, days_of.promoted
    rows, unusual = [], 0
    named = np.zeros(len(prices), bool) if promoted is None else promoted
    is_open = exposure > 0
    began = int(np.argmax(prices > 0)) if prices.any() else len(prices)
    is_open[:began] = False
    period = (len(prices) - 1 - np.arange(len(prices))) // period_days
    for number in range(int(period[0]) + 1 if len(prices) else 0):
        days = is_open & (period == number)
        known = days & (prices > 0)
        middle = usual(prices[known], named[known], 0)
        known &= (prices <= MOST_RATIO * middle) & (MOST_RATIO * prices >= middle)
        found = np.unique(np.stack([prices[known], named[known]], 1), axis=0)
        if len(found) < 2 or known.sum() < least_known * days.sum():
            continue
        unusual += int((known & ((prices != middle) | named)).sum())
        for price, is_named in found:
            at, ratio = known & (prices == price) & (named == is_named), np.log(price / middle)
            on = by_price(ratio, promotion_from) if promoted is None else is_named
            rows.append((number, ratio, on, lines[at].sum(), exposure[at].sum()))
    columns = np.array(rows, float).reshape(-1, len(COLUMNS)).T
    return Cells(np.unique(columns[0], return_inverse=True)[1], *columns[1:]), unusual


def joined(parts: Sequence[Cells]) -> Cells:
    """Cells of several items; no two share a stratum."""
    if not parts:
        return Cells(np.zeros(0, int), *np.zeros((len(COLUMNS) - 1, 0)))
    sizes = [int(p.stratum.max()) + 1 if len(p) else 0 for p in parts]
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    stratum = np.concatenate([p.stratum + first for p, first in zip(parts, firsts, strict=True)])
    return Cells(stratum, *(np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS[1:]))


def by_price(log_ratio: np.ndarray, promotion_from: float) -> np.ndarray:
    """Whether prices, as logarithms over the usual one, lie a share `promotion_from` below it or more: 1 or 0.

    >>> by_price(np.log([1.0, 0.9, 0.8]), 0.1)
    array([0., 1., 1.])
    """
    return np.asarray(log_ratio <= np.log1p(-promotion_from) + 1e-9, float)


def design(log_ratio: np.ndarray, is_promotion: np.ndarray) -> np.ndarray:
    """What the regression reads (..., 2): the log ratio, and 1 on promotion, else 0; both broadcast."""
    return np.stack(np.broadcast_arrays(log_ratio, is_promotion), -1)


def fit(found: Cells, prior: Response, dispersion: float = 1.0) -> Response:
    """What is believed after the cells: Newton's steps to the mode, the normal distribution around it (Laplace).

    dispersion: variance over mean of the counts; orders that come in crowds weigh as fewer.
    """
    x, precision = _read(found), np.linalg.inv(prior.covariance)
    mean = prior.mean
    for _ in range(_STEPS):
        expected, centred = _expected(found, x, mean)
        gradient = centred.T @ (found.lines - expected) / dispersion - precision @ (mean - prior.mean)
        curvature = (centred * expected[:, None]).T @ centred / dispersion + precision
        step = np.linalg.solve(curvature, gradient)
        # Far steps of a few counts would leap over the mode.
        step *= min(1.0, _LONGEST_STEP / max(np.abs(step).max(), _CLOSE))
        mean = mean + step
        if np.abs(step).max() < _CLOSE:
            break
    expected, centred = _expected(found, x, mean)
    return Response(mean, np.linalg.inv((centred * expected[:, None]).T @ centred / dispersion + precision))


def dispersion(found: Cells, response: Response) -> float:
    """Pearson's estimate of variance over mean, at least 1: counts that vary less than by chance prove nothing more."""
    expected = expected_orders(found, response)
    is_counted = expected > 0
    strata = len(np.unique(found.stratum[is_counted]))
    free = is_counted.sum() - strata - len(response.mean)
    if free < 1:
        return 1.0
    return max(float(((found.lines - expected)[is_counted] ** 2 / expected[is_counted]).sum() / free), 1.0)


def spread(
    found: Cells, group: np.ndarray, response: Response, dispersion: float, part: int = ELASTICITY
) -> float:  # fmt: skip
    """Variance of elasticities, or of lifts, between groups, of group (rows,) in whole numbers from 0.

    A group's own one is one of Newton's steps from the common one; the variance beyond what their counts explain
    is that of a meta-analysis with random effects (DerSimonian and Laird, 1986).
    """
    from statsmodels.stats.meta_analysis import combine_effects

    expected, centred = _expected(found, _read(found), response.mean)
    moved = centred[:, part]
    told = np.bincount(group, moved**2 * expected) / dispersion
    score = np.bincount(group, moved * (found.lines - expected)) / dispersion
    known = told > _CLOSE
    if known.sum() < 2:
        return 0.0
    # It divides by what it finds, and may find nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        found_apart = combine_effects(score[known] / told[known], 1.0 / told[known], method_re="dl").tau2
    return float(max(found_apart, 0.0))


def expected_orders(found: Cells, response: Response) -> np.ndarray:
    """Orders of each cell (rows,) that the response expects, given the orders of its period."""
    return _expected(found, _read(found), response.mean)[0]


def gain(found: Cells, response: Response) -> float:
    """Log-likelihood of the cells' orders, given each period's, beyond that of prices that change nothing."""
    ours, none = (expected_orders(found, r) for r in (response, UNMOVED))
    ordered = found.lines > 0
    return float((found.lines[ordered] * np.log(ours[ordered] / none[ordered])).sum())


def quantile(mean: np.ndarray, variance: np.ndarray, level: float) -> np.ndarray:
    """Quantile of log-normal changes."""
    return np.asarray(np.exp(mean + norm.ppf(level) * np.sqrt(variance)))


def chance_above(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Chance that a normal quantity is above 0; a half where nothing is known to move."""
    return np.asarray(norm.cdf(mean / np.sqrt(np.maximum(variance, 1e-18))))


def _read(found: Cells) -> np.ndarray:
    return design(found.log_ratio, found.is_promotion)


def _expected(found: Cells, x: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected orders of each row given the sum of its stratum, and x less its mean there."""
    if not len(found):
        return np.zeros(0), np.zeros((0, x.shape[1]))
    weight = found.exposure * np.exp(x @ mean)
    share = weight / np.bincount(found.stratum, weight)[found.stratum]
    expected = np.bincount(found.stratum, found.lines)[found.stratum] * share
    middle = np.column_stack([np.bincount(found.stratum, share * column) for column in x.T])
    return expected, x - middle[found.stratum]
