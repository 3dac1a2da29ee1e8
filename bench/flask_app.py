"""The peer: the same score.py behind Flask, as Azure's inference server is built."""

from flask import Flask, Response, request
import json

import score

score.init()
app = Flask(__name__)


@app.post("/score")
def run():
    return Response(json.dumps(score.run(request.get_data(as_text=True))), mimetype="application/json")
