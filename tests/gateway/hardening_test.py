#!/usr/bin/env python3
"""What was hardened by the compiler and the linker is in the program; the sandbox is tight.

hardening_test.py TOLLGATE SOURCE_DIRECTORY [compiled]     compiled: with TOLLGATE_HARDEN
"""
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOLLGATE, SOURCE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])

COMPILED = sys.argv[3:] == ["compiled"]


def output(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=120, check=True).stdout


class Program(unittest.TestCase):
    def test_it_is_loaded_anywhere(self):
        self.assertRegex(output("readelf", "-hW", TOLLGATE), r"Type:\s+DYN \(Position-Independent")

    def test_relocations_are_done_at_the_start_and_read_only_then(self):
        self.assertIn("GNU_RELRO", output("readelf", "-lW", TOLLGATE))
        dynamic = output("readelf", "-dW", TOLLGATE)
        self.assertTrue(re.search(r"\(FLAGS_1\)\s+Flags:.*\bNOW\b", dynamic), "lazy binding")
        for word in ("TEXTREL", "RPATH", "RUNPATH"):
            self.assertFalse(f"({word})" in dynamic, word)

    def test_nothing_is_both_written_and_run(self):
        segments = output("readelf", "-lW", TOLLGATE)
        self.assertRegex(segments, r"GNU_STACK\s+\S+ \S+ \S+ \S+ \S+ RW ")
        self.assertNotRegex(segments, r"LOAD\s+\S+ \S+ \S+ \S+ \S+ RWE ")

    @unittest.skipUnless(COMPILED, "compiled without")
    def test_stacks_are_guarded_and_calls_fortified(self):
        symbols = output("readelf", "-sW", "--dyn-syms", TOLLGATE)
        self.assertTrue("__stack_chk_fail@" in symbols, "no stack protector")
        self.assertTrue(re.search(r"__(memcpy|read|recv|snprintf|strncpy|memmove)_chk@", symbols),
                        "no fortified call")

    def test_what_ships_is_compiled_so(self):
        presets = json.loads((SOURCE / "CMakePresets.json").read_text())["configurePresets"]
        release = next(preset for preset in presets if preset["name"] == "release")
        self.assertEqual(release["cacheVariables"]["TOLLGATE_HARDEN"], "ON")

    @unittest.skipUnless(COMPILED and platform.machine() == "x86_64", "compiled without")
    def test_returns_have_a_shadow_and_jumps_places_to_land(self):
        self.assertRegex(output("readelf", "-nW", TOLLGATE), r"x86 feature:.*\bSHSTK\b")
        landings = TOLLGATE.read_bytes().count(b"\xf3\x0f\x1e\xfa")  # endbr64
        functions = len(re.findall(r" FUNC .* \d+ \S*tollgate", output("readelf", "-sW", TOLLGATE)))
        self.assertGreater(landings, functions // 2)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class Unit(unittest.TestCase):
    def test_exposure_is_small(self):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15",
             SOURCE / "deploy/tollgate.service"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)

    def test_it_is_a_unit_that_systemd_understands(self):
        text = (SOURCE / "deploy/tollgate.service").read_text()
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, "tollgate.service")
            unit.write_text(text.replace("/usr/bin/tollgate", str(TOLLGATE))
                            .replace("Documentation=", "#"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True, check=False)
        self.assertNotIn("tollgate.service:", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
