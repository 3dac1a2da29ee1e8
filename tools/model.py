"""Checks the protocol's model with spin, in every variant: those that must hold are searched to the
end without an error, and each broken one must fail by its own assertion. See model/README.md."""

import concurrent.futures
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parent.parent / "model" / "hotswap.pml"
DEPTH = 100_000  # steps; the longest run has less than a thousand
MEMORY = 1500  # MB a search
DEADLOCK = "invalid end state"


@dataclasses.dataclass
class Variant:
    options: str
    fails: str = ""  # the assertion that must fail; "" where all must hold
    says: str = ""


HOLDS = [
    Variant("", says="our server"),
    Variant("-DSTART=CLOSED", says="our server, nothing live at first"),
    Variant("-DAZURE", says="Azure: no fences, stale reads"),
    Variant("-DAZURE -DSTART=CLOSED", says="Azure, nothing live at first"),
    Variant("-DFROZEN -DFENCE_FIRST -DHANDS=0", says="our server, writers stopped for any time"),
]

# What the documentation says is open must be so, or the documentation is wrong.
OPEN = [
    Variant("-DFROZEN -DAZURE", "intent_is_journaled", "without fences a write of a stopped process still counts"),
    Variant("-DFROZEN", "intent_is_journaled", "our server learns a new fence with the first write that has it"),
    Variant("-DAZURE -DLAGS=2 -DHANDS=0", "only_the_tested_goes_live", "two stale reads in a row show a slot as free that is not"),
]

BROKEN = [
    Variant("-DBREAK_CHOOSE_AGAIN", "slot_is_chosen_once", "2: the slot is derived again from the traffic"),
    Variant("-DBREAK_TRUST_SLOT", "only_the_tested_goes_live", "2: a fingerprint is not read again"),
    Variant("-DBREAK_NO_BEFORE", "swap_needs_what_was_planned", "3: a swap does not require the plan's before"),
    Variant("-DBREAK_BLIND_RETRY", "swap_needs_what_was_planned", "5: a lost reply is answered by sending again"),
    Variant("-DBREAK_BLIND_LOCK", "fence_only_grows", "3: the lock is taken without If-Match"),
    Variant("-DBREAK_EXPIRED_WRITE", "one_writer", "5: a write does not ask whether the lock lasts"),
    Variant("-DBREAK_NO_FENCE -DFROZEN -DFENCE_FIRST", "intent_is_journaled", "3: a stale fence is not refused"),
    Variant("-DBREAK_ENTRY_TWICE -DFROZEN -DFENCE_FIRST", "intent_is_journaled", "5: an entry is written without If-None-Match"),
    Variant("-DBREAK_NO_JOURNAL", "intent_is_journaled", "5: the effect comes before its entry"),
    Variant("-DBREAK_NO_SETTLE", "every_end_is_told", "5: what a crash left is not settled"),
    Variant("-DBREAK_FIRST_READ -DAZURE -DHANDS=0", "undone_is_undone", "5: settled by the first read"),
    Variant("-DBREAK_NO_TAKEOVER", DEADLOCK, "5: a dead holder's lock is never taken"),
    Variant("-DBREAK_TO_ZERO -DSTART=CLOSED", "never_to_zero", "6: the first rollout is rolled back to nothing"),
    Variant("-DBREAK_TRUST_BEFORE", "rollback_restores", "6: a rollback does not look at what it restores"),
    Variant("-DBREAK_UNKNOWN_IS_GOOD", "unknown_never_promotes", "10: an unknown verdict promotes"),
]


def search(variant):
    """Returns what failed, "" for nothing, and how many states were searched."""
    optimise = "-O0" if variant.fails else "-O1"  # a search that soon fails takes less time than its compiler
    folder = tempfile.mkdtemp(prefix="model-")
    try:
        for command in (
            ["spin", *variant.options.split(), "-a", MODEL],
            ["gcc", optimise, "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY}", "-o", "pan", "pan.c"],
        ):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        out = subprocess.run(["./pan", "-n", f"-m{DEPTH}"], cwd=folder, capture_output=True, text=True).stdout
    finally:
        shutil.rmtree(folder)
    return judge(out)


def judge(out):
    states = re.search(r"(\d+) states, stored", out)
    errors = re.search(r"errors: (\d+)", out)
    if not states or not errors:
        return "the search did not run: " + out, 0
    if failed := re.search(r"pan:\d+: (?:assertion violated )?(.*?) \(at depth", out):
        return failed[1], int(states[1])
    if "max search depth too small" in out or "Search not completed" in out or errors[1] != "0":
        return "the search was cut short: " + out, int(states[1])
    return "", int(states[1])


def main():
    right = True
    print("%-52s %10s  %-27s" % ("variant", "states", "fails"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for title, group in (("holds", HOLDS), ("open, as documented", OPEN), ("broken", BROKEN)):
            print(f"-- {title}")
            for variant, (failed, states) in zip(group, pool.map(search, group)):
                as_expected = failed == variant.fails
                right = right and as_expected
                note = "" if as_expected else f"   WRONG: want {variant.fails or 'no failure'}"
                print("%-52s %10d  %-27s %s%s" % (variant.options or "(none)", states, failed or "nothing", variant.says, note), flush=True)
    return 0 if right else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as e:
        sys.exit(f"{e}\n{e.stdout}")
