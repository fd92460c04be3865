"""`make bench`: a JSON line each (name, value, unit, baseline, ratio, goal, met); exits 0 whatever they say."""

from __future__ import annotations

import json

from tests.bench import client, crowd, desk, load, pages, relay, saving

for room in (client, relay, load, saving, pages, desk, crowd):
    for measured in room.measure():
        print(json.dumps(measured), flush=True)
