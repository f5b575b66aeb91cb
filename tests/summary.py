"""Reads ctest's JUnit files and prints what failed, what was skipped and why, one PASS or FAIL line and the counts.

usage: summary.py [--seconds N] JUNIT.xml...    exit status 1 if a test failed or none ran
"""
import sys
import xml.etree.ElementTree as ElementTree


def reason(case):
    """Why GoogleTest (or a script) skipped: the line after its 'Skipped', or the last line of its output."""
    output = case.findtext("system-out") or ""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for at, line in enumerate(lines[:-1]):
        if line.endswith("Skipped") and not lines[at + 1].startswith("["):
            return lines[at + 1]
    for line in lines:
        if line.lower().startswith("skipped"):
            return line
    skipped = case.find("skipped")
    return skipped.get("message", "no reason given") if skipped is not None else "no reason given"


def read(paths):
    passed, failed, skipped = [], [], []
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name, status = case.get("name"), case.get("status")
            if status == "run":
                passed.append(name)
            elif case.find("skipped") is not None and status in ("notrun", "disabled"):
                message = case.find("skipped").get("message", "")
                # A program that was never built is a failure, whatever ctest calls it.
                (failed if "Unable to find" in message else skipped).append((name, reason(case)))
            else:
                failure = case.find("failure")
                failed.append((name, failure.get("message", "") if failure is not None else status))
    return passed, failed, skipped


def main(arguments):
    seconds = None
    if arguments[:1] == ["--seconds"]:
        seconds, arguments = int(arguments[1]), arguments[2:]
    passed, failed, skipped = read(arguments)
    for name, why in skipped:
        print(f"SKIPPED  {name}: {why}")
    for name, why in failed:
        print(f"FAILED   {name}: {why or 'failed'}")
    good = bool(passed) and not failed
    took = f" in {seconds} s" if seconds else ""
    if good:
        print(f"PASS  every test that ran passed{took}")
    else:
        print(f"FAIL  {len(failed)} failed{took}" if passed or failed else "FAIL  no test ran")
    print(f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
