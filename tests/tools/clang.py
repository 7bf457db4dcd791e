"""The product compiles with clang too, hardened, with every warning an error; then asks the binary
whether the hardening is there (PIE, full RELRO, stack protector, fortified libc calls)."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "clang")


def run(*command):
    return subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def main():
    os.makedirs(BUILD, exist_ok=True)
    for command in (("cmake", "-S", ROOT, "-B", BUILD, "-DCMAKE_C_COMPILER=clang", "-DCB_TESTS=OFF",
                     "-DCMAKE_BUILD_TYPE=Release"), ("cmake", "--build", BUILD, "-j2")):
        done = run(*command)
        if done.returncode:
            print(done.stdout[-4000:])
            print("FAIL clang does not build it")
            return 1
    print("ok   clang builds it without a warning")
    binary = os.path.join(BUILD, "chargebridge")
    dynamic, header, symbols = (run("readelf", flag, binary).stdout for flag in ("-d", "-h", "-Ws"))
    segments = run("readelf", "-lW", binary).stdout
    bad = 0
    for name, holds in (("PIE", "DYN" in header), ("full RELRO", "GNU_RELRO" in segments
                                                   and ("BIND_NOW" in dynamic or "NOW" in dynamic)),
                        ("a stack that is not executable", "GNU_STACK" in segments
                         and "RWE" not in segments),
                        ("stack protector", "__stack_chk_fail" in symbols),
                        ("fortified calls", "_chk@" in symbols)):
        print(("ok   the binary has %s" if holds else "FAIL the binary lacks %s") % name)
        bad += not holds
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
