"""Decides again what detail records say was decided, by the slow implementation of
tests/routing/oracle.h, each under the version of the tables that the record names."""
import json
import re
import subprocess

from harness import Failed


def decision(record):
    """What decision_checker wants of a detail record (`tollgate records --json`)."""
    source, destination = record["source"], record["destination"]
    line = {"client": record["client"], "destination": destination["address"],
            "ton": destination["ton"], "npi": destination["npi"], "source": source["address"],
            "source_ton": source["ton"], "draw": record["draw"], "wall_us": record["accepted_us"],
            "down": record.get("down", []), "full": record.get("full", []), "reason": "chosen",
            "price_nano": record["price_nano"], "candidates": record["candidates"]}
    if "sender" in record:
        line |= {"sender": record["sender"]["address"], "sender_ton": record["sender"]["ton"]}
    return line


def check(checker, decisions, directory, carriers, clients, facts=None):
    """(decisions, differences, what it said) of decision_checker."""
    words = [checker, "--set", directory, "--carriers", ",".join(carriers), "--clients",
             ",".join(clients), *(["--facts", facts] if facts else [])]
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True,
                          input="".join(json.dumps(each) + "\n" for each in decisions), check=False)
    counts = re.search(r"^(\d+) decisions, (\d+) differences$", done.stdout, re.MULTILINE)
    if counts is None:
        raise Failed(f"decision_checker: {done.stderr or done.stdout}")
    return int(counts[1]), int(counts[2]), done.stdout


def rederive(checker, records, sets, carriers, clients, directory):
    """(decisions, differences, examples) over all versions. `sets`: a table set by version;
    `directory`: of the records, and so of the facts."""
    groups = {}
    for record in records:
        if record.get("states_cut"):
            raise Failed(f"{record['message']} does not list all carriers that it passed over")
        groups.setdefault((record["tables_version"], record["facts"]), []).append(decision(record))
    total, differences, examples = 0, 0, []
    for (version, facts), decisions in sorted(groups.items()):
        if version not in sets:
            raise Failed(f"{len(decisions)} records of version {version}, which nobody published")
        found, differ, said = check(checker, decisions, sets[version], carriers, clients,
                                    directory / f"facts-{facts}.csv" if facts else None)
        total, differences = total + found, differences + differ
        examples += [f"version {version}: {said}"] if differ else []
    return total, differences, examples


def read_records(tollgate, directory, *more):
    """The records of a directory, one after the other."""
    process = subprocess.Popen([str(tollgate), "records", "--json", "--records", str(directory),
                                *more], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        yield json.loads(line)
    if process.wait() not in (0, 1):
        raise Failed("tollgate records cannot read them")
