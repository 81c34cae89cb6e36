"""The verdict on logs written by hand: sound ones pass, and each fault is found, alone."""
import unittest

import verdict

# Three messages, one kill. 1 is answered and has its receipt before the kill; 2 is refused by
# alpha and goes to bravo; 3 is in doubt at the kill. 4 comes after it.
CLIENT = """
100 bound 0
100 submit 1
100 submit 2
200 accepted 1 aa
200 accepted 2 bb
210 submit 3
220 accepted 3 cc
900 receipt aa DELIVRD 1
5000 lost 0
6000 bound 0
6000 submit 4
6100 refused 4 20
6200 submit 4
6300 accepted 4 dd
8000 receipt bb UNDELIV 2
9000 receipt cc UNKNOWN 3
9500 receipt dd DELIVRD 4
""".strip().splitlines()
CARRIER = """
300 submit alpha 0 1
310 submit alpha 0 2
400 response alpha 0 1 0 7
410 response alpha 0 2 69 -
450 submit bravo 0 2
460 response bravo 0 2 0 8
800 receipt alpha 1 7 DELIVRD 0
810 answered alpha 1 7 DELIVRD 0
4900 submit alpha 0 3
5000 dropped alpha 0
5000 dropped bravo 0
5000 forgotten alpha 0 3 0 9
6500 submit alpha 1 4
6600 response alpha 1 4 0 10
7000 receipt bravo 2 8 UNDELIV 0
7010 answered bravo 2 8 UNDELIV 0
7500 receipt alpha 4 10 DELIVRD 0
""".strip().splitlines()


def judged(client=CLIENT, carrier=CARRIER, margin=1000, window=1, relay=False):
    return verdict.judge(client, carrier, window, margin, relay)


def without(lines, *unwanted):
    left = [line for line in lines if line not in unwanted]
    assert len(left) == len(lines) - len(unwanted), unwanted
    return left


def after(lines, line, *more):
    at = lines.index(line) + 1
    return [*lines[:at], *more, *lines[at:]]


class Sound(unittest.TestCase):
    def test_the_whole_story_is_fine(self):
        found = judged()
        self.assertEqual(found.faults(), {})
        self.assertEqual((found.messages, found.accepted, found.unknown), (4, 4, 0))
        self.assertEqual((found.seen, found.in_doubt, found.unanswered), (4, 1, 1))
        self.assertEqual((found.receipts, found.receipts_again), (4, 0))
        self.assertNotIn("FAILED", verdict.report(found))

    def test_a_receipt_may_come_twice(self):
        found = judged(client=after(CLIENT, "9500 receipt dd DELIVRD 4",
                                    "9600 receipt dd DELIVRD 4"))
        self.assertEqual((found.faults(), found.receipts_again), ({}, 1))

    def test_an_answer_that_was_lost(self):
        """The client does not know the id; the receipt names the message by its text."""
        client = ["5000 unknown 3" if "accepted 3" in line else line for line in CLIENT]
        found = judged(client=client)
        self.assertEqual((found.faults(), found.accepted, found.unknown), ({}, 3, 1))
        gone = without(client, "9000 receipt cc UNKNOWN 3")
        self.assertEqual(judged(client=gone).faults(), {})

    def test_relayed_and_in_doubt_may_be_refused_to_the_client(self):
        refused = without([line.replace("accepted 3 cc", "refused 3 69") for line in CLIENT],
                          "9000 receipt cc UNKNOWN 3")
        self.assertEqual(judged(refused, relay=True).faults(), {})
        # 4 is with alpha for sure: its client may not be told otherwise.
        wrong = without([line.replace("accepted 4 dd", "refused 4 69") for line in refused],
                        "9500 receipt dd DELIVRD 4")
        self.assertEqual(judged(wrong, relay=True).faults(), {"refused_but_sent": 1})

    def test_what_is_in_doubt_may_go_again(self):
        carrier = [*CARRIER, "7600 submit bravo 1 3", "7700 response bravo 1 3 0 11",
                   "7800 receipt bravo 3 11 DELIVRD 0"]
        client = [line.replace("UNKNOWN", "DELIVRD") for line in CLIENT]
        found = judged(client, carrier)
        self.assertEqual((found.faults(), found.resent_in_doubt), ({}, 1))

    def test_an_answer_just_before_the_kill_may_not_have_been_read(self):
        carrier = after(CARRIER, "4900 submit alpha 0 3", "4990 response alpha 0 3 0 9")
        again = [*carrier, "7600 submit bravo 1 3"]
        self.assertEqual(judged(carrier=again, margin=20).faults(), {})
        self.assertEqual(judged(carrier=again, margin=5).faults(),
                         {"duplicates": 1, "contradicted": 1})

    def test_an_answer_is_safe_once_the_window_was_needed_again(self):
        """Of two answers on a bind with a window of one the first was read: else the second submit
        could not have come."""
        carrier = after(CARRIER, "4900 submit alpha 0 3", "4901 response alpha 0 3 0 9",
                        "4902 submit alpha 0 5", "4903 response alpha 0 5 0 10")
        client = [*CLIENT, "4800 submit 5", "4850 accepted 5 ee", "9700 receipt ee UNKNOWN 5"]
        found = judged(client, carrier)
        self.assertEqual((found.faults(), found.in_doubt), ({"contradicted": 1}, 1))
        self.assertIn(", 2 told UNKNOWN", verdict.report(found))
        unsure = judged(client, carrier, window=2)
        self.assertEqual((unsure.faults(), unsure.in_doubt), ({}, 2))
        busy = without(carrier, "4903 response alpha 0 5 0 10")
        self.assertEqual(judged(client, busy).faults(), {"contradicted": 1})

    def test_what_the_client_submits_again_may_go_twice_not_thrice(self):
        client = ["5000 unknown 3" if "accepted 3" in line else line for line in CLIENT]
        client += ["6000 submit 3", "6100 accepted 3 ee", "9000 receipt ee DELIVRD 3"]
        carrier = [*after(CARRIER, "4900 submit alpha 0 3", "4901 response alpha 0 3 0 9"),
                   "6500 submit bravo 1 3", "6600 response bravo 1 3 0 12",
                   "6700 receipt bravo 3 12 DELIVRD 0", "6700 receipt alpha 3 9 UNKNOWN 0"]
        self.assertEqual(judged(client, carrier, margin=5).faults(), {})
        third = [*carrier, "6900 submit bravo 1 3"]
        self.assertEqual(judged(client, third, margin=5).faults(), {"duplicates": 1})


    def test_what_was_meant_to_be_sent_is_in_doubt_as_far_as_windows_go(self):
        """Two binds dropped with a window of one each: two submits may be in doubt, not three."""
        client = [*CLIENT, "9600 submit 5", "9610 accepted 5 ee", "9620 receipt ee UNKNOWN 5"]
        found = judged(client)
        self.assertEqual((found.faults(), found.in_doubt, found.never_arrived), ({}, 2, 1))
        client += ["9600 submit 6", "9610 accepted 6 ff", "9620 receipt ff UNKNOWN 6"]
        found = judged(client)
        self.assertEqual((found.faults(), found.in_doubt), ({"beyond_windows": 1}, 3))
        self.assertIn("1 beyond windows", verdict.report(found))
        self.assertEqual(judged(client, window=2).faults(), {})


class Faults(unittest.TestCase):
    def found(self, expected, client=CLIENT, carrier=CARRIER):
        result = judged(client, carrier)
        self.assertEqual(result.faults(), expected)
        self.assertEqual(verdict.report(result).count("FAILED"), len(expected))

    def test_accepted_and_never_seen_again(self):
        self.found({"lost_accepted": 1, "lost_receipts": 1},
                   without(CLIENT, "9500 receipt dd DELIVRD 4"),
                   [line for line in CARRIER if " 4" not in line[8:]
                    and "alpha 1 4" not in line])

    def test_a_receipt_that_the_carrier_sent_is_lost(self):
        self.found({"lost_receipts": 1}, without(CLIENT, "8000 receipt bb UNDELIV 2"))

    def test_a_message_in_doubt_that_never_ends(self):
        self.found({"lost_receipts": 1}, without(CLIENT, "9000 receipt cc UNKNOWN 3"))

    def test_sent_again_after_it_was_answered(self):
        self.found({"duplicates": 1}, carrier=[*CARRIER, "7600 submit bravo 1 1"])

    def test_sent_again_while_the_first_is_under_way(self):
        self.found({"duplicates": 1},
                   carrier=after(CARRIER, "450 submit bravo 0 2", "455 submit alpha 0 2",
                                 "456 response alpha 0 2 69 -"))

    def test_refused_to_the_client_and_sent_all_the_same(self):
        self.found({"refused_but_sent": 1},
                   [*CLIENT, "9700 submit 5", "9800 refused 5 20"],
                   [*CARRIER, "9900 submit alpha 1 5"])

    def test_told_another_state_than_the_carrier_sent(self):
        client = [line.replace("bb UNDELIV", "bb DELIVRD") for line in CLIENT]
        self.found({"contradicted": 1}, client)

    def test_told_unknown_without_a_doubt(self):
        self.found({"contradicted": 1}, [line.replace("dd DELIVRD", "dd UNKNOWN")
                                         for line in CLIENT])

    def test_told_delivered_though_nobody_took_it(self):
        self.found({"contradicted": 1}, [line.replace("cc UNKNOWN", "cc DELIVRD")
                                         for line in CLIENT])

    def test_told_two_states(self):
        """Each has a carrier's word behind it, and yet only one can be the last."""
        self.found({"contradicted": 1}, [*CLIENT, "9600 receipt aa UNDELIV 1"],
                   after(CARRIER, "810 answered alpha 1 7 DELIVRD 0",
                         "820 receipt alpha 1 7 UNDELIV 0"))

    def test_a_receipt_whose_id_nobody_was_given(self):
        self.found({"receipts_unmatched": 1}, [*CLIENT, "9600 receipt ee DELIVRD 1"])

    def test_a_receipt_of_another_message(self):
        """The ids of two messages are swapped: the quoted texts show it."""
        client = [line.replace("aa DELIVRD 1", "aa DELIVRD 4").replace("dd DELIVRD 4",
                                                                       "dd DELIVRD 1")
                  for line in CLIENT]
        self.found({"receipts_of_another": 2}, client)

    def test_an_id_given_to_two_messages(self):
        client = [line.replace("accepted 4 dd", "accepted 4 bb") for line in CLIENT]
        self.found({"ids_given_twice": 1, "receipts_unmatched": 1, "receipts_of_another": 1,
                    "contradicted": 1}, client)


if __name__ == "__main__":
    unittest.main()
