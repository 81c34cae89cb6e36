"""What a gateway's detail records say, against what its client was told: exactly one record for
each accepted message that has ended, with money that adds up."""
import collections
import json
import subprocess


def section(directory):
    """What the configuration needs, behind that of the journal."""
    return f'[records]\ndirectory = "{directory}"\nrotate_octets = 16777216\n'


def read(program, directory, span=("--last", "30d")):
    """A dictionary for each record, oldest first."""
    done = subprocess.run([str(program), "records", "--records", str(directory), *span,
                           "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"tollgate records: status {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def live(program, journal):
    """How many messages the journal has that have not ended, those on the disk among them."""
    done = subprocess.run([str(program), "journal", str(journal), "--audit", "--json"],
                          capture_output=True, text=True, check=False)
    audit = json.loads(done.stdout)["audit"]
    stages = ("queued", "refused", "in_flight", "in_doubt", "awaiting", "told")
    return sum(audit[stage] for stage in stages) + audit["due"]["receipts"]


def judge(program, directory, journal, client_log, span=("--last", "30d")):
    """(faults, a line for people)"""
    records = read(program, directory, span)
    faults = []
    seen = collections.Counter(record["message"] for record in records)
    twice = [message for message, count in seen.items() if count > 1]
    if twice:
        faults.append(f"{len(twice)} messages have two records, as {twice[0]}")
    ids = {record.get("id", record["message"]) for record in records}
    with open(client_log) as log:
        accepted = {fields[3] for fields in map(str.split, log) if fields[1] == "accepted"}
    missing = accepted - ids
    left = live(program, journal)
    if len(missing) > left:
        faults.append(f"{len(missing)} accepted messages have no record and {left} have not ended, "
                      f"as {sorted(missing)[0]}")
    for record in records:
        billed = [each for each in record["tries"] if each["billed"]]
        cost = sum(each["cost_nano"] for each in billed) * record["segments"]
        revenue = record["price_nano"] * record["segments"] if billed else 0
        if (record["cost_nano"], record["revenue_nano"]) != (cost, revenue):
            faults.append(f"the money of {record['message']} does not add up")
            break
    recovered = sum(1 for record in records if record.get("recovered"))
    return faults, (f"records   {len(records)}, {recovered} written by a start; {len(missing)} "
                    f"accepted without one, {left} not ended")
