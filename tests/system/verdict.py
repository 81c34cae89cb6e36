"""What the logs of load and carrier say about a gateway that was killed between them.

The gateway is not asked: everything here comes from what its client and its carriers saw (the
format is that of bench/peers/event_log.h). The words:

  in doubt     a submit_sm in a window that was open when its bind dropped: the carrier had not
               answered it, or nothing shows that the gateway had read the answer and kept it. What
               shows it: answers are read in their order, and a submit_sm leaves when the window
               has room and all that was read before is durable; so once n submits have come over
               a bind with window w, its first n - w answers are safe. Answers older than `margin`
               are too. Or a submit that no carrier ever saw and whose client is told UNKNOWN: the
               gateway had meant to send it. Never more are told UNKNOWN than the binds that
               dropped had windows.
  lost         a message that the client was told is accepted and that no carrier ever saw, or one
               whose final receipt never came although it was asked for
  duplicate    a submit_sm of a message that was with a carrier already: an earlier one had neither
               been refused nor was in doubt. What the client itself submitted twice (its first
               answer was lost, --resubmit) may go twice.
  contradicted a final receipt that no carrier's word stands behind: another state than the carrier
               sent, UNKNOWN though nothing was in doubt, DELIVRD though nobody took it, or two
               states for one message

Receipts may come twice (at least once is the promise): they are counted.
"""
import collections
import dataclasses

MARGIN_US = 5_000_000
EXAMPLES = 5
FAULTS = ("lost_accepted", "lost_receipts", "duplicates", "refused_but_sent", "contradicted",
          "receipts_unmatched", "receipts_of_another", "ids_given_twice", "beyond_windows")


@dataclasses.dataclass
class Verdict:
    messages: int = 0          # distinct tags that the client submitted
    accepted: int = 0          # answered with an id
    unknown: int = 0           # submits whose answer never came
    receipts: int = 0
    receipts_again: int = 0    # the same state once more
    seen: int = 0              # distinct tags that a carrier saw
    in_doubt: int = 0
    unanswered: int = 0        # of these: the answer had not left
    never_arrived: int = 0     # of these: no carrier saw the submit
    told_unknown: int = 0      # without a carrier's saying so
    drops: int = 0             # binds that dropped
    resent_in_doubt: int = 0   # went to a carrier again after that
    lost_accepted: int = 0
    lost_receipts: int = 0
    duplicates: int = 0
    refused_but_sent: int = 0  # every answer that the client got was a refusal
    contradicted: int = 0
    receipts_unmatched: int = 0
    receipts_of_another: int = 0
    ids_given_twice: int = 0
    beyond_windows: int = 0    # told UNKNOWN, more than the dropped binds had windows
    examples: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def find(self, fault, tag, words=""):
        setattr(self, fault, getattr(self, fault) + 1)
        if len(self.examples[fault]) < EXAMPLES:
            self.examples[fault].append(f"{tag}{' ' + words if words else ''}")

    def faults(self):
        return {fault: getattr(self, fault) for fault in FAULTS if getattr(self, fault)}


class ClientLog:
    """load --log: what was submitted, what came back. Relayed: what was refused may be with a
    carrier all the same, if that is in doubt."""

    def __init__(self, lines, relay=False):
        self.relay = relay
        self.copies = collections.Counter()  # by tag: submits that were not refused
        self.tags = {}                       # by the id that the client was given
        self.twice = []
        self.unknown = collections.Counter()
        self.receipts = []                   # (id, state, tag or -1), as they came
        for line in lines:
            fields = line.split()
            self.add(fields[1], fields[2:])

    def add(self, word, fields):
        if word == "receipt":
            self.receipts.append((fields[0], fields[1], int(fields[2])))
        elif word == "submit":
            self.copies[int(fields[0])] += 1
        elif word == "accepted":
            tag = int(fields[0])
            if fields[1] in self.tags:
                self.twice.append(tag)
            self.tags[fields[1]] = tag
        elif word == "refused" and not self.relay:
            self.copies[int(fields[0])] -= 1
        elif word == "unknown":
            self.unknown[int(fields[0])] += 1


class CarrierLog:
    """carrier --log, judged as it is read: who had which message, and what was in doubt."""

    def __init__(self, lines, copies, window, margin_us, verdict):
        self.copies = copies
        self.window = window
        self.margin_us = margin_us
        self.verdict = verdict
        self.held = collections.Counter()    # by tag: submits that carriers have or had
        self.doubt = collections.Counter()   # by tag
        self.taken = set()                   # tags answered ESME_ROK
        self.states = collections.defaultdict(set)
        self.seen = set()
        self.open = collections.defaultdict(collections.Counter)     # by bind: tags not answered
        # By bind, the last answers: (when, tag, status)
        self.answered = collections.defaultdict(lambda: collections.deque(maxlen=window))
        for line in lines:
            fields = line.split()
            self.add(int(fields[0]), fields[1], fields[2:])
        verdict.seen = len(self.seen)

    def add(self, when, word, fields):
        if word == "submit":
            self.submitted((fields[0], fields[1]), int(fields[2]))
        elif word == "response":
            self.responded(when, (fields[0], fields[1]), int(fields[2]), int(fields[3]))
        elif word == "receipt":
            self.states[int(fields[1])].add(fields[3])
        elif word == "dropped":
            self.dropped(when, (fields[0], fields[1]))

    def submitted(self, bind, tag):
        self.seen.add(tag)
        self.open[bind][tag] += 1
        if self.doubt[tag]:
            self.verdict.resent_in_doubt += 1
        if self.copies[tag] <= 0:
            self.verdict.find("refused_but_sent", tag)
        elif self.held[tag] >= self.copies[tag]:
            self.verdict.find("duplicates", tag, f"at {bind[0]}")
        self.held[tag] += 1

    def responded(self, when, bind, tag, status):
        self.open[bind][tag] -= 1
        self.answered[bind].append((when, tag, status))
        if status != 0:
            self.held[tag] -= 1
        else:
            self.taken.add(tag)

    def dropped(self, when, bind):
        self.verdict.drops += 1
        unanswered = list(self.open.pop(bind, collections.Counter()).elements())
        safe = max(0, len(self.answered[bind]) - max(0, self.window - len(unanswered)))
        late = [tag for at, tag, status in list(self.answered.pop(bind))[safe:]
                if status == 0 and at > when - self.margin_us]
        self.verdict.unanswered += len(unanswered)
        for tag in [*unanswered, *late]:
            self.held[tag] -= 1
            self.doubt[tag] += 1
            self.verdict.in_doubt += 1


def backed(state, tag, carriers):
    """Whether what the client was told is what carriers said, or the gateway may say by itself."""
    if state in carriers.states[tag]:
        return True
    if carriers.doubt[tag]:
        return state != "DELIVRD"
    return tag not in carriers.taken and state != "DELIVRD"


def judge_receipts(client, carriers, verdict):
    told, told_unknown, never_arrived = {}, set(), set()
    for message_id, state, quoted in client.receipts:
        tag = client.tags.get(message_id)
        if tag is None:
            if not client.unknown[quoted]:
                verdict.find("receipts_unmatched", quoted, message_id)
                continue
            tag = quoted
        elif quoted not in (-1, tag):
            verdict.find("receipts_of_another", tag, f"quotes {quoted}")
        before = told.setdefault(message_id, state)
        if before != state:
            verdict.find("contradicted", tag, f"{before}, then {state}")
        if state == "UNKNOWN" and state not in carriers.states[tag]:
            told_unknown.add(message_id)
        if state == "UNKNOWN" and tag not in carriers.taken and not carriers.doubt[tag]:
            never_arrived.add(message_id)
        elif not backed(state, tag, carriers):
            verdict.find("contradicted", tag, f"told {state}, carriers said "
                         f"{'/'.join(sorted(carriers.states[tag])) or 'nothing'}")
    verdict.told_unknown = len(told_unknown)
    verdict.never_arrived = len(never_arrived)
    verdict.in_doubt += len(never_arrived)
    verdict.receipts = len(client.receipts)
    verdict.receipts_again = len(client.receipts) - len(told)
    return told


def judge_relayed(client, carriers, verdict):
    """What a carrier took, and nothing put in doubt, its client was told is accepted."""
    accepted = set(client.tags.values())
    for tag in carriers.taken:
        if tag not in accepted and not client.unknown[tag] and not carriers.doubt[tag]:
            verdict.find("refused_but_sent", tag)


def judge(client_lines, carrier_lines, window, margin_us=MARGIN_US, relay=False):
    """Both logs as iterables of lines; every accepted message is taken to want a receipt. `window`
    is that of each of the gateway's binds. `relay`: its client was answered as carriers were
    heard."""
    verdict = Verdict()
    client = ClientLog(client_lines, relay)
    carriers = CarrierLog(carrier_lines, client.copies, window, margin_us, verdict)
    told = judge_receipts(client, carriers, verdict)
    if relay:
        judge_relayed(client, carriers, verdict)
    for message_id, tag in client.tags.items():
        if message_id not in told:
            verdict.find("lost_receipts", tag, message_id)
            if tag not in carriers.seen:
                verdict.find("lost_accepted", tag, message_id)
    for tag in client.twice:
        verdict.find("ids_given_twice", tag)
    verdict.beyond_windows = max(0, verdict.told_unknown - verdict.drops * window)
    verdict.messages = len(client.copies)
    verdict.accepted = len(client.tags)
    verdict.unknown = client.unknown.total()
    return verdict


def judge_files(client_path, carrier_path, window, margin_us=MARGIN_US, relay=False):
    with open(client_path) as client, open(carrier_path) as carrier:
        return judge(client, carrier, window, margin_us, relay)


def report(verdict):
    """What was seen and every fault, for people."""
    lines = [f"client    {verdict.messages} messages, {verdict.accepted} accepted, "
             f"{verdict.unknown} answers lost; {verdict.receipts} receipts, "
             f"{verdict.receipts_again} of them again",
             f"carriers  {verdict.seen} messages seen, {verdict.in_doubt} submits in doubt "
             f"({verdict.unanswered} without an answer, {verdict.never_arrived} never arrived), "
             f"{verdict.resent_in_doubt} sent again, {verdict.told_unknown} told UNKNOWN"]
    for fault, count in verdict.faults().items():
        shown = ", as of message " + ", ".join(verdict.examples[fault])
        lines.append(f"FAILED: {count} {fault.replace('_', ' ')}"
                     f"{shown if verdict.examples[fault] else ''}")
    return "\n".join(lines)
