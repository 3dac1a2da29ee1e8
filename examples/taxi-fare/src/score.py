"""Scores taxi trips: {"data": [{"distance": 2.5, ...}]} gives {"fares": [18.25]}, in dollars."""

import json
import os

FEATURES = {
    "distance": lambda t: t["distance"],
    "minutes": lambda t: t["minutes"],
    "night": lambda t: 1.0 if t["hour"] >= 20 or t["hour"] < 6 else 0.0,
    "rush": lambda t: 1.0 if t["weekday"] < 5 and 16 <= t["hour"] < 20 else 0.0,
    "manhattan": lambda t: 1.0 if t["manhattan"] else 0.0,
}

model = None


def init():
    global model
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json"), encoding="utf-8") as f:
        model = json.load(f)


def run(raw_data):
    trips = json.loads(raw_data)["data"]
    return {"fares": [predict(trip) for trip in trips]}


def predict(trip):
    values = [1.0] + [FEATURES[f](trip) for f in model["features"]]
    return sum(w * v for w, v in zip(model["weights"], values))
