"""Rules of the repository that no compiler checks. Each method is one law and one ctest entry.

usage: repo_test.py BUILD_FOLDER unittest-arguments...
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

import tree

BUILD = pathlib.Path(".")

# Which first folders the files of a layer may include; the longest matching folder decides the layer.
LAYERS = {
    "kernels/core": {"core"},
    "kernels": {"core", "kernels"},
    "data": {"core", "data"},
    "models": {"core", "kernels", "data", "models"},
    "interp": {"core", "kernels", "data", "models", "interp"},
    "experiments": {"core", "kernels", "data", "models", "interp", "experiments"},
    "experiments/report": {"core", "data/io", "experiments/report"},
    "experiments/cli": {"core", "kernels", "data", "models", "interp", "experiments"},
}
# C++ and CUDA: what includes, and opens with a sentence.
SOURCES = (".cpp", ".h", ".cu", ".cuh")
OURS = {"core", "kernels", "data", "models", "interp", "experiments", "tests", "bench"}
# Layers and the libraries they must not know, as beginnings of an include.
FOREIGN = {
    "kernels/core": ("hdf5", "H5", "Eigen/", "cuda"),
    "kernels": ("hdf5", "H5", "nlohmann/", "toml++/", "CLI/"),
    "models": ("hdf5", "H5", "nlohmann/", "toml++/", "CLI/", "cuda"),
    "interp": ("toml++/", "CLI/", "cuda"),
}
# A target of the build, a header that it must not see, and one that it must.
UPWARD = [
    ("core", "kernels/memory/tensor.h", "core/check.h"),
    ("core", "data/task.h", "core/check.h"),
    ("kernels", "data/task.h", "kernels/memory/tensor.h"),
    ("kernels", "models/reasoner.h", "kernels/memory/tensor.h"),
    ("data", "kernels/memory/tensor.h", "data/task.h"),
    ("models", "interp/stats.h", "models/reasoner.h"),
    ("models", "experiments/spec.h", "models/reasoner.h"),
    ("interp", "experiments/spec.h", "models/reasoner.h"),
    ("report", "kernels/memory/tensor.h", "data/io/json.h"),
    ("report", "models/reasoner.h", "core/check.h"),
    ("report", "experiments/spec.h", "experiments/report/report.h"),
]


def layer_of(path):
    return max((folder for folder in LAYERS if path.startswith(folder + "/")), key=len, default=None)


def includes(path):
    """[(line, included name, quoted)] of a C++ file."""
    found = []
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
        if match:
            found.append((number, match.group(2), match.group(1) == '"'))
    return found


class Layering(unittest.TestCase):
    def test_includes_name_a_layer_and_never_climb(self):
        wrong = [f"{p}:{n}: {name}" for p in tree.files(*SOURCES)
                 for n, name, quoted in includes(p) if ".." in name.split("/")]
        self.assertEqual(wrong, [])

    def test_a_layer_includes_only_from_layers_below(self):
        wrong = []
        for path in tree.files(*SOURCES):
            layer = layer_of(path)
            for number, name, quoted in includes(path) if layer else []:
                if quoted and name.split("/")[0] in OURS:
                    if not any(name.startswith(root + "/") for root in LAYERS[layer]):
                        wrong.append(f"{path}:{number}: {layer} includes {name}")
        self.assertEqual(wrong, [])

    def test_nothing_but_the_command_line_includes_the_command_line(self):
        wrong = [f"{p}:{n}: {name}" for p in tree.files(*SOURCES) if not p.startswith("experiments/cli/")
                 for n, name, _ in includes(p) if name.startswith("experiments/cli/") and not p.startswith("tests/")]
        self.assertEqual(wrong, [])

    def test_only_tests_run_the_executor(self):
        """A kernel body knows kernels/simt's vocabulary; what runs it on a CPU is for tests alone."""
        vocabulary = {"context.h", "context_cuda.cuh", "live_models.h", "reduce.h", "row_team.h"}
        wrong = [f"{p}:{n}: {name}" for p in tree.files(".h", ".cpp", ".cu", ".cuh")
                 if not p.startswith(("tests/", "kernels/simt/"))
                 for n, name, _ in includes(p)
                 if name.startswith("kernels/simt/") and name.split("/")[-1] not in vocabulary]
        self.assertEqual(wrong, [], "the executor is for tests")
        linked = [p for p in tree.files("CMakeLists.txt") if not p.startswith("tests/")
                  and re.search(r"target_link_libraries\([^)]*\bsimt\b", tree.text(p).replace(
                      "target_link_libraries(simt ", ""))]
        self.assertEqual(linked, [], "only tests link the executor")

    def test_a_layer_knows_no_library_of_another(self):
        wrong = []
        for path in tree.files(*SOURCES):
            for number, name, _ in includes(path):
                if name.startswith(FOREIGN.get(layer_of(path), ())):
                    wrong.append(f"{path}:{number}: {name}")
        self.assertEqual(wrong, [])

    def test_an_upward_include_does_not_compile(self):
        commands = json.loads((BUILD / "compile_commands.json").read_text())
        for target, above, own in UPWARD:
            command = next((c for c in commands if f"/{target}.dir/" in c["command"]), None)
            self.assertIsNotNone(command, f"no source of {target} in the build")
            words = [w for w in shlex.split(command["command"]) if "ccache" not in w]
            flags = [w for w in words[1:] if w.startswith(("-std", "-f", "-m", "-D"))]
            for at, word in enumerate(words):
                if word.startswith("-I"):
                    flags.append(word)
                elif word == "-isystem":
                    flags += words[at:at + 2]
            for header, compiles in ((own, True), (above, False)):
                with self.subTest(target=target, header=header):
                    run = subprocess.run([words[0], *flags, "-fsyntax-only", "-x", "c++", "-"], cwd=command["directory"],
                                         input=f'#include "{header}"\n', capture_output=True, text=True)
                    self.assertEqual(run.returncode == 0, compiles, run.stderr[:500])
                    if not compiles:
                        self.assertRegex(run.stderr, f"{re.escape(header)}(: No such file|' file not found)")


class Registry(unittest.TestCase):
    def names(self, table):
        return re.findall(r'^\s*(?:\w+)?\{\s*"([a-z0-9_]+)"\s*,', tree.text(table), flags=re.M)

    def compare(self, folder, table):
        if not (tree.ROOT / folder).is_dir() or not tree.files(".cpp", under=folder + "/"):
            self.skipTest(f"no {folder}")
        stems = [pathlib.PurePath(p).stem for p in tree.files(".cpp", under=folder + "/")]
        names = self.names(table)
        self.assertEqual(names, sorted(names), f"{table} is not sorted")
        self.assertEqual(names, sorted(stems), f"{folder} and {table} differ")

    def test_tasks_are_the_files_of_their_folder(self):
        self.compare("data/tasks", "data/tasks.cpp")

    def test_models_are_the_files_of_their_folder(self):
        self.compare("models/zoo", "models/zoo.cpp")

    def test_studies_are_the_files_of_their_folder(self):
        self.compare("experiments/studies", "experiments/studies.cpp")

    def test_every_op_folder_has_contract_source_and_listed_cases(self):
        listed = tree.text("kernels/ops/all_cases.cpp")
        folders = sorted({p.split("/")[2] for p in tree.files(".h", ".cpp", under="kernels/ops/") if p.count("/") == 3})
        self.assertTrue(folders)
        for op in folders:
            for name in (f"{op}.h", f"{op}_cpu.cpp", "cases.h"):
                self.assertTrue((tree.ROOT / "kernels/ops" / op / name).is_file(), f"kernels/ops/{op}/{name} is missing")
            self.assertIn(f'"kernels/ops/{op}/cases.h"', listed, f"all_cases.cpp does not include the cases of {op}")
            self.assertRegex(listed, rf'\{{"{op}\w*", *{op}\w*_cases\}}', f"all_cases.cpp does not list {op}")


class Files(unittest.TestCase):
    def test_source_files_open_with_one_sentence_of_purpose(self):
        wrong = []
        for path in tree.files(*SOURCES):
            lines = tree.text(path).splitlines()
            # A source beside its header is explained there.
            has_header = path.endswith((".cpp", ".cu")) and (tree.ROOT / path).with_suffix(".h").is_file()
            of_op = re.match(r"kernels/ops/(\w+)/\1_cpu.cpp", path)
            if not has_header and not of_op and (not lines or not re.match(r"// \S", lines[0])):
                wrong.append(path)
        self.assertEqual(wrong, [])

    def test_no_machine_path_and_no_registry_host(self):
        # Put together here, so that this file does not hold them itself.
        words = ["/" + "work/", "/" + "root/", "pypi" + ".org", "files.python" + "hosted", "deb." + "debian.org",
                 "security." + "debian.org", "archive." + "ubuntu.com", "registry." + "npmjs"]
        pattern = re.compile("|".join(map(re.escape, words)) + r"|/home/\w+/")
        wrong = []
        for path in tree.files():
            try:
                lines = tree.text(path).splitlines()
            except UnicodeDecodeError:
                continue
            wrong += [f"{path}:{n}: {line.strip()[:80]}" for n, line in enumerate(lines, 1) if pattern.search(line)]
        self.assertEqual(wrong, [])

    def test_no_work_is_left_for_later(self):
        pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
        wrong = [f"{p}:{n}" for p in tree.files(*SOURCES, ".py", ".js", ".txt", ".cmake")
                 for n, line in enumerate(tree.text(p).splitlines(), 1) if pattern.search(line)]
        self.assertEqual(wrong, [])

    def test_only_the_decided_folders_stand_at_the_root(self):
        allowed = {".ci", "kernels", "data", "models", "interp", "experiments", "bench", "tests", "python"}
        self.assertLessEqual({p.split("/")[0] for p in tree.files() if "/" in p}, allowed)

    def test_test_names_are_sentences_without_underscores(self):
        wrong = []
        for path in tree.files(".cpp", under="tests/"):
            for suite, name in re.findall(r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP)\(\s*(\w+)\s*,\s*(\w+)",
                                          tree.text(path), flags=re.M):
                if "_" in suite + name:
                    wrong.append(f"{path}: {suite}.{name}")
        self.assertEqual(wrong, [])


class Readme(unittest.TestCase):
    def setUp(self):
        if not (tree.ROOT / "README.md").is_file():
            self.skipTest("no README.md")
        self.readme = tree.text("README.md")

    def section(self, name):
        match = re.search(rf"<!-- {name} -->(.*?)<!-- /{name} -->", self.readme, flags=re.S)
        self.assertIsNotNone(match, f"README.md has no section <!-- {name} -->")
        return match.group(1)

    def test_the_trace_names_what_is_there(self):
        steps = re.findall(r"^\d+\. `([^`]+)`.*?`([^`]+\.(?:cpp|h))`", self.section("trace"), flags=re.M)
        self.assertGreaterEqual(len(steps), 8)
        for symbol, path in steps:
            with self.subTest(symbol=symbol, path=path):
                self.assertTrue((tree.ROOT / path).is_file(), f"{path} does not exist")
                code, _ = tree.split_cpp(tree.text(path))
                *owner, last = symbol.split("::")
                self.assertRegex(code, rf"(?<!\w){re.escape(last)}\s*\(", f"{path} has no {symbol}")
                for name in owner:
                    self.assertRegex(code, rf"\b{re.escape(name)}\b", f"{path} has no {symbol}")

    def test_every_number_is_filled_in(self):
        left = [f"README.md:{n}: {line.strip()}" for n, line in enumerate(self.readme.splitlines(), 1) if "@" + "@" in line]
        self.assertEqual(left, [])

    def test_every_path_it_names_exists(self):
        named = set(re.findall(r"`([\w./-]+/[\w.-]+\.(?:h|cpp|md|toml|py|js))`", self.readme))
        made = ("runs/", "build", "out/")  # written by commands, not part of the tree
        example = re.compile(r"(^|/)my_\w+")  # what the reader is told to add
        missing = sorted(p for p in named if not p.startswith(made) and not example.search(p)
                         and not (tree.ROOT / p).exists())
        self.assertEqual(missing, [])

    def test_every_verb_it_names_exists(self):
        script = tree.text("run")
        for verb in sorted(set(re.findall(r"\./run ([a-z][a-z-]*)", self.readme))):
            self.assertRegex(script, rf"(?m)^  {verb}\) ", f"./run has no verb {verb}")

    def test_the_example_has_at_most_twenty_lines(self):
        block = re.search(r"```cpp\n(.*?)```", self.section("example"), flags=re.S)
        self.assertIsNotNone(block)
        self.assertLessEqual(len(block.group(1).strip().splitlines()), 20)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=0)
