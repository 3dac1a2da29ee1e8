"""Train the taxi fare model: python3 train.py --out . --features all

Makes trips from New York City's published fare rules plus noise, fits a linear regression by
least squares, and writes model.json (the coefficients) and metrics.json (the error on trips that
the fit has not seen). Standard library only; the same arguments give the same files.

The rules: nyc.gov/site/tlc/passengers/taxi-fare.page, standard metered fare.
"""

import argparse
import json
import math
import os
import random

FEATURES = {
    "distance": lambda t: t["distance"],
    "minutes": lambda t: t["minutes"],
    "night": lambda t: 1.0 if t["hour"] >= 20 or t["hour"] < 6 else 0.0,
    "rush": lambda t: 1.0 if t["weekday"] < 5 and 16 <= t["hour"] < 20 else 0.0,
    "manhattan": lambda t: 1.0 if t["manhattan"] else 0.0,
}


def fare(trip):
    """The metered fare in dollars: 70 cents per fifth of a mile, or per minute in slow traffic."""
    slow = max(0.0, trip["minutes"] - trip["distance"] * 60 / 12)  # minutes below 12 miles an hour
    total = 3.00 + 0.70 * 5 * trip["distance"] + 0.70 * slow
    total += 0.50 + 1.00  # state surcharge, improvement surcharge
    total += 1.00 * FEATURES["night"](trip) + 2.50 * FEATURES["rush"](trip)
    return total + 2.50 * FEATURES["manhattan"](trip)  # congestion surcharge


def make_trip(rng):
    distance = min(25.0, 0.4 + rng.expovariate(1 / 3.2))
    return {
        "distance": round(distance, 2),
        "minutes": round(distance * rng.uniform(4.2, 8.5) + rng.uniform(0, 3), 1),
        "hour": rng.randrange(24),
        "weekday": rng.randrange(7),
        "manhattan": rng.random() < 0.7,
    }


def row(trip, features):
    return [1.0] + [FEATURES[f](trip) for f in features]


def fit(rows, targets):
    """Solve the normal equations by Gaussian elimination with pivoting."""
    n = len(rows[0])
    a = [[sum(r[i] * r[j] for r in rows) for j in range(n)] for i in range(n)]
    for i in range(n):
        a[i].append(sum(r[i] * y for r, y in zip(rows, targets)))
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(a[k][i]))
        a[i], a[pivot] = a[pivot], a[i]
        for k in range(n):
            if k != i:
                factor = a[k][i] / a[i][i]
                a[k] = [x - factor * y for x, y in zip(a[k], a[i])]
    return [a[i][n] / a[i][i] for i in range(n)]


def predict(weights, values):
    return sum(w * v for w, v in zip(weights, values))


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=".", help="folder to write model.json and metrics.json to")
    parser.add_argument("--features", default="all", help="comma-separated, of: " + ",".join(FEATURES))
    parser.add_argument("--trips", type=int, default=4000, help="how many trips to learn from")
    parser.add_argument("--seed", type=int, default=1, help="seed of the trips and their noise")
    args = parser.parse_args()
    features = list(FEATURES) if args.features == "all" else args.features.split(",")
    unknown = [f for f in features if f not in FEATURES]
    if unknown or args.trips < 100:
        parser.error(f"unknown features {unknown}" if unknown else "--trips wants at least 100")

    rng = random.Random(args.seed)
    trips = [make_trip(rng) for _ in range(args.trips)]
    fares = [fare(t) + rng.gauss(0, 0.8) for t in trips]
    split = args.trips * 4 // 5
    weights = fit([row(t, features) for t in trips[:split]], fares[:split])

    errors = [predict(weights, row(t, features)) - y for t, y in zip(trips[split:], fares[split:])]
    metrics = {
        "mae": sum(map(abs, errors)) / len(errors),
        "rmse": math.sqrt(sum(e * e for e in errors) / len(errors)),
        "trips": len(errors),
    }
    os.makedirs(args.out, exist_ok=True)
    write(os.path.join(args.out, "model.json"), {"features": features, "weights": weights})
    write(os.path.join(args.out, "metrics.json"), metrics)
    print(json.dumps(metrics))


if __name__ == "__main__":
    main()
