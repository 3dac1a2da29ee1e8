"""Reads go test -json on stdin: shows what failed with its output, names every skipped test with
its reason, and ends with the counts. Exits with 1 if anything failed or nothing ran."""

import collections
import json
import sys

outputs = collections.defaultdict(list)
counts = collections.Counter()
skipped = []
failed = False


def text(key):
    return "".join(outputs.pop(key, []))


for line in sys.stdin:
    try:
        event = json.loads(line)
    except ValueError:
        print(line, end="")
        continue
    key = (event.get("Package") or event.get("ImportPath"), event.get("Test"))
    action = event["Action"]
    if action in ("output", "build-output"):
        outputs[key].append(event["Output"])
    elif action == "fail" or action == "build-fail":
        failed = True
        counts["failed"] += key[1] is not None
        print(f"--- {key[0]} {key[1] or ''} failed\n{text(key)}")
    elif action == "skip" and key[1]:
        counts["skipped"] += 1
        reason = [l.strip() for l in text(key).splitlines() if not l.lstrip().startswith(("===", "---"))]
        skipped.append(f"skipped {key[0]} {key[1]}: {' '.join(reason)}")
    elif action == "pass":
        if key[1]:
            counts["passed"] += 1
        else:
            print(f"ok {key[0]} {event.get('Elapsed', 0):.1f}s", flush=True)
        text(key)

print("\n".join(skipped))
print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
sys.exit(1 if failed or not counts["passed"] else 0)
