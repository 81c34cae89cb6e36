"""The bench programs against each other. For every fault that load must report, a carrier commits
it and counts how often: both counts must agree, so no check here can hold by accident.

TOLLGATE_BIN names the directory of the programs."""
import collections
import contextlib
import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
import smpp_client  # noqa: E402

BIN = pathlib.Path(os.environ.get("TOLLGATE_BIN", "build/dev/bin"))


def carrier(spec="", *args):
    return harness.Server(BIN / "carrier", "--carrier", "name=one" + ("," + spec if spec else ""),
                          "--seconds", 60, *args)


def load(port, *args):
    return harness.Load(BIN / "load", "--port", port, *args, timeout=60).wait()


def once(spec, *args):
    """One load against one carrier; both reports."""
    with carrier(spec) as server:
        run = load(server.port, *args)
        return run, server.stop()


class Sound(unittest.TestCase):
    """Nothing is wrong, and load says so."""

    def check_all_came_back(self, run, carriers, count):
        one = carriers["carriers"][0]
        self.assertEqual(run.status, 0, run.errors or run.report)
        self.assertTrue(run.report["holds"])
        self.assertEqual(run.report["messages"], count)
        self.assertEqual(run.report["accepted"], count)
        self.assertEqual(run.report["receipts"]["matched"], count)
        self.assertEqual(one["submits"], count)
        self.assertEqual(one["accepted"], count)
        self.assertEqual(one["receipts"]["acked"], count)
        self.assertEqual(one["receipts"]["waiting"], 0)
        self.assertEqual(carriers["messages"]["accepted_once"], count)

    def test_straight(self):
        run, carriers = once("", "--count", 20000, "--connections", 4, "--registered-delivery", 1)
        self.check_all_came_back(run, carriers, 20000)
        self.assertEqual(carriers["carriers"][0]["unbinds"], 4)

    def test_through_the_relay_in_pairs_one_write_a_pdu(self):
        with carrier("", "--one-write") as server:
            with harness.Server(BIN / "relay", "--upstream-port", server.port,
                                "--one-write") as relay:
                run = load(relay.port, "--count", 5000, "--connections", 3, "--pairs",
                           "--one-write", "--registered-delivery", 1)
                relay.stop()
            self.check_all_came_back(run, server.stop(), 5000)

    def test_no_receipt_unless_asked(self):
        run, carriers = once("", "--count", 2000)
        self.assertEqual(run.status, 0)
        self.assertEqual(run.report["receipts"]["received"], 0)
        self.assertEqual(carriers["carriers"][0]["receipts"]["made"], 0)

    def test_receipts_early_on_another_bind_and_late(self):
        run, carriers = once("receipt-early=0.5,receipt-bind=other,latency=0-20,receipt-delay=0-50",
                             "--count", 5000, "--connections", 2, "--registered-delivery", 1)
        self.check_all_came_back(run, carriers, 5000)
        self.assertGreater(carriers["carriers"][0]["receipts"]["early"], 1000)

    def test_every_form_of_id_and_receipt(self):
        forms = itertools.cycle(("text", "tlv", "both"))
        for ids, form in zip(("decimal", "zeros", "hex", "hex-upper", "uuid", "uuid-upper"), forms):
            with self.subTest(ids=ids, form=form):
                run, carriers = once(f"ids={ids},receipt-form={form},id-start=0xfffffffffff0",
                                     "--count", 100, "--registered-delivery", 1)
                self.check_all_came_back(run, carriers, 100)

    def test_receipt_mix_and_failures_only(self):
        run, carriers = once("receipt-mix=UNDELIV:0.25", "--count", 4000,
                             "--registered-delivery", 2, "--receipt-wait", 0.5)
        made = carriers["carriers"][0]["receipts"]["made"]
        self.assertEqual(run.status, 0, run.report)
        self.assertEqual(run.report["receipts"]["by_state"], {"UNDELIV": made})
        self.assertTrue(800 < made < 1200, made)

    def test_throttled_messages_are_retried_until_taken(self):
        run, carriers = once("throttle=2000", "--count", 1500, "--window", 50,
                             "--retries", 30, "--retry-ms", 10)
        one = carriers["carriers"][0]
        self.assertEqual(run.status, 0, run.report)
        self.assertGreater(one["throttled"], 0)
        self.assertEqual(run.report["retried"], one["throttled"])
        self.assertEqual(run.report["responses"]["0x00000058"], one["throttled"])
        self.assertEqual(one["accepted"], 1500)
        self.assertGreater(run.report["seconds"], 0.6)  # 1,400 beyond the burst at 2,000 a second

    def test_carriers_of_one_process_are_apart(self):
        with harness.Server(BIN / "carrier", "--carriers", 2, "--carrier", "name=third,ids=hex",
                            "--seconds", 60) as server:
            self.assertEqual(list(server.ports), ["carrier1", "carrier2", "third"])
            for base, port in enumerate(server.ports.values()):
                self.assertEqual(load(port, "--count", 100, "--tag-base", 50 * base).status, 0)
            report = server.stop()
        self.assertEqual([each["accepted"] for each in report["carriers"]], [100, 100, 100])
        self.assertEqual(report["messages"],
                         {"submitted": 200, "accepted_once": 100, "accepted_more_than_once": 100,
                          "never_accepted_by_submits": {}})


class Faults(unittest.TestCase):
    """Each fault is seen, counted as often as it was committed, and fails the run."""

    def failed(self, spec, check, *args):
        run, carriers = once(spec, "--count", 3000, *args)
        self.assertEqual(run.status, 1, run.errors or run.report)
        self.assertFalse(run.report["holds"])
        broken = [name for name, holds in run.report["checks"].items() if not holds]
        self.assertEqual(broken, [check])
        return run.report, carriers["carriers"][0]

    def test_submits_never_answered(self):
        report, one = self.failed("loss=0.01", "every_submit_answered", "--response-timeout", 0.5)
        self.assertGreater(one["lost"], 0)
        self.assertEqual(report["unanswered"], one["lost"])
        self.assertEqual(report["accepted"], 3000 - one["lost"])

    def test_receipts_that_never_come(self):
        report, one = self.failed("receipt-loss=0.01", "no_receipt_lost",
                                  "--registered-delivery", 1, "--receipt-wait", 0.5)
        self.assertGreater(one["receipts"]["withheld"], 0)
        self.assertEqual(report["receipts"]["lost"], one["receipts"]["withheld"])

    def test_receipts_that_come_twice(self):
        report, one = self.failed("receipt-duplicate=0.01", "no_receipt_duplicated",
                                  "--registered-delivery", 1)
        self.assertGreater(one["receipts"]["duplicated"], 0)
        self.assertEqual(report["receipts"]["duplicated"], one["receipts"]["duplicated"])

    def test_an_id_given_to_two_messages(self):
        report, one = self.failed("id-repeat=0.01", "every_message_id_unique")
        self.assertGreater(one["ids_repeated"], 0)
        self.assertEqual(report["ids"]["duplicated"], one["ids_repeated"])

    def test_refusals(self):
        report, one = self.failed("status=0x45:0.08/0x08:0.02", "no_refusal")
        self.assertEqual(set(one["refused"]), {"0x00000045", "0x00000008"})
        self.assertEqual(report["refused"], sum(one["refused"].values()))
        run, carriers = once("status=0x45:0.1", "--count", 1000, "--allow-refused")
        self.assertEqual(run.status, 0)
        self.assertEqual(carriers["messages"]["never_accepted_by_submits"],
                         {"1": run.report["refused"]})

    def test_receipts_with_an_id_nobody_was_given(self):
        run, carriers = once("ids=hex,receipt-id=decimal", "--count", 500,
                             "--registered-delivery", 1, "--receipt-wait", 0.5)
        self.assertEqual(run.status, 1)
        self.assertEqual(run.report["receipts"]["unmatched"], 500)
        self.assertEqual(run.report["receipts"]["lost"], 500)

    def test_taken_but_never_answered(self):
        run, carriers = once("silent=0.01", "--count", 3000, "--registered-delivery", 1,
                             "--response-timeout", 0.5)
        silent = carriers["carriers"][0]["silent"]
        self.assertGreater(silent, 0)
        self.assertEqual(run.status, 1)
        self.assertEqual(run.report["unanswered"], silent)
        self.assertEqual(run.report["receipts"]["unmatched"], silent)

    def test_sessions_dropped(self):
        run, carriers = once("die-at=0.3,latency=5", "--seconds", 2, "--connections", 2,
                             "--window", 10)
        self.assertEqual(run.status, 1)
        self.assertEqual(run.report["sessions_lost"], 2)
        self.assertFalse(run.report["checks"]["sessions_kept"])
        # What it had not answered yet, and answers that its last turn did not write any more.
        self.assertGreaterEqual(run.report["unanswered"], carriers["carriers"][0]["forgotten"])
        self.assertLessEqual(run.report["unanswered"], 2 * 10)

    def test_a_refused_bind_and_a_closed_port(self):
        with carrier("password=other") as server:
            run = load(server.port, "--count", 1)
            self.assertEqual(run.status, 2)
            self.assertIn("0x0000000e", run.errors)
            self.assertEqual(server.stop()["carriers"][0]["binds_refused"], 1)
        run = load(server.port, "--count", 1, "--bind-wait", 0.3)
        self.assertEqual(run.status, 2)
        self.assertIn("0 of 1 sessions bound", run.errors)

    def test_bad_options_are_named(self):
        bad = subprocess.run([BIN / "carrier", "--carrier", "colour=red"], capture_output=True)
        self.assertEqual(bad.returncode, 1)
        self.assertIn(b"'colour': no such key", bad.stderr)
        self.assertNotEqual(load(1, "--window", 0).status, 0)


class Latency(unittest.TestCase):
    def test_a_known_latency_is_measured(self):
        run, _ = once("latency=20", "--count", 1000, "--window", 100)
        latency = run.report["latency_us"]
        self.assertEqual(latency["count"], 1000)
        self.assertGreaterEqual(latency["p50"], 20000)
        self.assertLess(latency["p50"], 40000)
        self.assertGreaterEqual(latency["max"], latency["p99_9"])

    def test_submit_to_receipt_counts_both_legs(self):
        run, _ = once("latency=20,receipt-delay=30", "--count", 500, "--registered-delivery", 1)
        self.assertGreaterEqual(run.report["receipts"]["latency_us"]["p50"], 50000)
        self.assertLess(run.report["receipts"]["latency_us"]["p50"], 90000)

    def test_an_open_loop_keeps_its_rate_and_feels_a_stall(self):
        """A peer that stops for half a second of two delays a quarter of the messages, some 250 ms
        each in the mean. A closed loop (coordinated omission) would count one slow message."""
        with carrier() as server, harness.Server(BIN / "relay", "--upstream-port",
                                                 server.port) as relay:
            run = harness.Load(BIN / "load", "--port", relay.port, "--rate", 2000, "--seconds", 2,
                               "--connections", 2, "--window", 10, timeout=60)
            time.sleep(0.7)
            os.kill(relay.pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(relay.pid, signal.SIGCONT)
            run.wait()
        self.assertEqual(run.status, 0, run.report)
        self.assertEqual(run.report["messages"], 4000)
        self.assertGreater(run.report["latency_us"]["p90"], 200000)
        self.assertGreater(run.report["latency_us"]["max"], 400000)
        self.assertLess(run.report["latency_us"]["p50"], 200000)
        self.assertLess(run.report["seconds"], 3)


class Logs(unittest.TestCase):
    """Each program's own log, line by line, against its counts; sessions that come back."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.client = pathlib.Path(folder.name) / "load.log"
        self.carriers = pathlib.Path(folder.name) / "carrier.log"

    def once(self, spec, *args):
        with carrier(spec, "--log", self.carriers) as server:
            run = load(server.port, "--log", self.client, "--registered-delivery", 1, *args)
            return run, server.stop()["carriers"][0]

    @staticmethod
    def lines(path):
        """{word: [fields]}; the moments never go back."""
        words, last = collections.defaultdict(list), 0
        for line in path.read_text().splitlines():
            when, word, *fields = line.split(" ")
            assert int(when) >= last, line
            last = int(when)
            words[word].append(fields)
        return words

    def test_every_event_of_a_sound_run(self):
        run, one = self.once("status=0x45:0.1,receipt-mix=UNDELIV:0.3,ids=hex", "--count", 500,
                             "--tag-base", 7000, "--allow-refused", "--connections", 2)
        self.assertEqual(run.status, 0, run.report)
        client, carriers = self.lines(self.client), self.lines(self.carriers)
        tags = {str(tag) for tag in range(7000, 7500)}
        self.assertEqual({tag for tag, in client["submit"]}, tags)
        self.assertEqual({fields[2] for fields in carriers["submit"]}, tags)
        self.assertEqual([status for _, status in client["refused"]],
                         ["69"] * run.report["refused"])
        taken = {tag: id for _, _, tag, status, id in carriers["response"] if status == "0"}
        self.assertEqual({tag: id for tag, id in client["accepted"]}, taken)
        told = {(id, state, tag) for id, state, tag in client["receipt"]}
        self.assertEqual(told, {(id, state, tag) for _, tag, id, state, _ in carriers["receipt"]})
        self.assertEqual({tag for _, _, tag in told}, set(taken))
        self.assertEqual(len(carriers["answered"]), len(taken))
        self.assertEqual(len(client["bound"]), 2)
        self.assertEqual({state for _, state, _ in told}, {"DELIVRD", "UNDELIV"})

    def test_octets_that_are_no_word_are_escaped(self):
        """An id with a blank, from a peer that is not the carrier."""
        with smpp_client.Server(b"a b%\n") as server:
            load(server.port, "--log", self.client, "--count", 1)
        self.assertEqual(self.lines(self.client)["accepted"], [["0", "a%20b%25%0A"]])

    def comes_back(self, *args):
        run, one = self.once("die-at=0.2,down=0.3,latency=20,keep=0.5", "--reconnect", "--count",
                             4000, "--rate", 4000, "--connections", 2, "--window", 50, *args)
        client, carriers = self.lines(self.client), self.lines(self.carriers)
        self.assertEqual(run.status, 0, run.report)
        self.assertEqual(one["deaths"], 1)
        self.assertGreater(one["kept"], 0)
        self.assertGreater(one["forgotten"], 0)
        self.assertEqual(len(carriers["kept"]), one["kept"])
        self.assertEqual(len(carriers["forgotten"]), one["forgotten"])
        self.assertEqual(run.report["unknown"], len(client["unknown"]))
        # Answers of the carrier's last turn never left.
        unread = len(carriers["response"]) - len(client["accepted"])
        self.assertGreaterEqual(run.report["unknown"], one["kept"] + one["forgotten"] + unread)
        self.assertEqual(run.report["receipts"]["of_unknown"], one["kept"] + unread)
        self.assertEqual((len(client["lost"]), run.report["rebinds"]), (2, 2))
        self.assertEqual(len(client["bound"]), 4)
        return run.report, one["repeated"] - one["kept"] - one["forgotten"] - unread, client

    def test_a_lost_session_comes_back(self):
        report, _, client = self.comes_back()
        self.assertEqual(report["accepted"] + report["unknown"], 4000)
        self.assertEqual(collections.Counter(tag for tag, in client["submit"]).most_common(1)[0][1],
                         1)
        self.assertEqual(len(client["submit"]), 4000)

    def test_what_is_unknown_goes_again_with_its_tag(self):
        report, more_repeated, client = self.comes_back("--resubmit")
        self.assertEqual(report["accepted"], 4000)
        self.assertEqual(len(client["submit"]), 4000 + report["unknown"])
        again = collections.Counter(tag for tag, in client["submit"])
        self.assertEqual({tag for tag, n in again.items() if n > 1},
                         {tag for tag, in client["unknown"]})
        self.assertEqual(more_repeated, 0)

    def test_a_peer_that_never_comes_back_ends_the_run(self):
        run, _ = self.once("die-at=0.2,down=30", "--reconnect", "--seconds", 20, "--rate", 1000,
                           "--bind-wait", 1, "--receipt-wait", 20)
        self.assertLess(run.report["seconds"], 5)
        self.assertEqual(run.report["rebinds"], 0)

    def test_a_refused_bind_is_tried_again(self):
        """The peer that it comes back to lets nobody in."""
        with carrier() as server:
            run = harness.Load(BIN / "load", "--port", server.port, "--reconnect", "--rate", 1000,
                               "--seconds", 20, "--bind-wait", 2, "--log", self.client, timeout=60)
            harness.wait_until("a submit", lambda: self.client.exists() and
                               " submit " in self.client.read_text())
        with carrier(f"port={server.port},password=other") as other:
            run.wait()
            refused = other.stop()["carriers"][0]["binds_refused"]
        self.assertGreaterEqual(refused, 2)
        self.assertEqual(run.report["binds_refused"], refused)
        self.assertLess(run.report["seconds"], 10)

    def test_asked_to_finish_it_waits_for_what_is_missing(self):
        with carrier("receipt-delay=1000") as server:
            run = harness.Load(BIN / "load", "--port", server.port, "--rate", 1000, "--seconds", 50,
                               "--registered-delivery", 1, "--log", self.client, timeout=60)
            harness.wait_until("100 submits", lambda: self.client.exists() and
                               self.client.read_text().count(" submit ") > 100)
            run.process.send_signal(signal.SIGUSR1)
            run.wait()
            accepted = server.stop()["carriers"][0]["accepted"]
        self.assertEqual(run.status, 0, run.report)
        self.assertLess(run.report["seconds"], 10)
        self.assertEqual(run.report["receipts"]["matched"], accepted)

    def test_a_log_that_cannot_be_written_ends_the_program(self):
        with carrier() as server:
            run = load(server.port, "--count", 1, "--log", "/nowhere/log")
            self.assertEqual(run.status, 2)
            self.assertIn("/nowhere/log", run.errors)
            full = load(server.port, "--count", 5, "--log", "/dev/full")
            self.assertEqual(full.status, 2)


class Memory(unittest.TestCase):
    def test_a_carrier_that_dies_comes_back_with_its_receipts(self):
        with carrier("receipt-delay=300,die-at=0.1,down=0.5,window=5") as server, \
                contextlib.ExitStack() as stack:
            client = smpp_client.Client(server.port)
            stack.callback(client.close)
            for i in range(20):
                client.submit(b"447911000000", b"[%010d]" % i)
            ids = {client.receive()[3] for _ in range(20)}
            self.assertEqual(len(ids), 20)
            self.assertIsNone(client.receive())  # it died
            again = []

            def bound():
                with contextlib.suppress(ConnectionRefusedError):
                    again.append(smpp_client.Client(server.port))
                return bool(again)

            harness.wait_until("the carrier's return", bound)
            stack.callback(again[0].close)
            # The first five are read and not answered: the window holds the others back.
            held = [again[0].receive() for _ in range(5)]
            self.assertIsNone(again[0].receive(timeout=0.2))
            again[0].close()
            last = smpp_client.Client(server.port)
            stack.callback(last.close)
            told = set()
            for _ in range(20):
                command, _, sequence, body = last.receive()
                self.assertEqual(command, smpp_client.DELIVER)
                told.add(re.search(rb"id:(\d+)", body).group(1) + b"\0")
                last.send(smpp_client.DELIVER | smpp_client.RESPONSE, b"\0", sequence)
            self.assertEqual(told, ids)
            self.assertEqual(len(held), 5)
            self.assertEqual(last.request(smpp_client.UNBIND)[0],
                             smpp_client.UNBIND | smpp_client.RESPONSE)
            one = server.stop()["carriers"][0]
        self.assertEqual(one["deaths"], 1)
        self.assertEqual(one["receipts"]["resent"], 5)
        self.assertEqual(one["receipts"]["acked"], 20)

    def test_a_polite_death_answers_what_it_took(self):
        """It refuses what comes meanwhile, answers the rest, unbinds, and closes when answered."""
        with carrier("latency=1000,die=polite,die-at=0.2,down=30") as server:
            client = smpp_client.Client(server.port)
            self.addCleanup(client.close)
            client.submit(b"447911000000", b"[0000000001] taken before", 0)
            time.sleep(0.6)
            client.submit(b"447911000000", b"refused", 0)
            response = smpp_client.SUBMIT | smpp_client.RESPONSE
            self.assertEqual(client.receive()[:3], (response, 8, 3))
            self.assertEqual(client.receive()[:3], (response, 0, 2))
            command, _, sequence, _ = client.receive()
            self.assertEqual(command, smpp_client.UNBIND)
            client.submit(b"447911000000", b"refused", 0)
            client.send(smpp_client.UNBIND | smpp_client.RESPONSE, b"", sequence)
            self.assertEqual(client.receive()[:3], (response, 8, 4))
            self.assertIsNone(client.receive())
            one = server.stop()["carriers"][0]
        self.assertEqual((one["accepted"], one["forgotten"], one["deaths"]), (1, 0, 1))

    def test_wrong_states_and_enquiries_are_answered(self):
        with carrier("enquire=0.1") as server, contextlib.ExitStack() as stack:
            client = smpp_client.Client(server.port)
            stack.callback(client.close)
            self.assertEqual(client.request(smpp_client.BIND_TRX, b"a\0b\0\0\x34\0\0\0")[1], 5)
            self.assertEqual(client.request(0x77)[:2], (smpp_client.RESPONSE, 3))
            self.assertEqual(client.receive()[0], smpp_client.ENQUIRE)
            receiver = smpp_client.Client(server.port, command=1)
            stack.callback(receiver.close)
            receiver.submit(b"447911000000", b"hello")
            self.assertEqual(receiver.receive()[:2], (smpp_client.SUBMIT | smpp_client.RESPONSE, 4))


if __name__ == "__main__":
    unittest.main()
