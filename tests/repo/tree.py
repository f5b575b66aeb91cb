"""The files of the checkout, and a small C++ lexer that tells code, comments, strings and functions apart."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*suffixes, under=""):
    """Paths of the checkout relative to its root, sorted: what git knows or would add, or all where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()]
        listed = [p for p in listed if not re.match(r"(build|build-\w+|runs|\.git)/", p)]
    keep = [p for p in listed if p.startswith(under) and (not suffixes or p.endswith(suffixes))]
    return sorted(p for p in keep if (ROOT / p).is_file())


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


def split_cpp(source):
    """(code, comments): the source with everything else blanked, line breaks kept. Strings count as code, emptied."""
    code, comments, at = [], [], 0
    blank = lambda s: re.sub(r"[^\n]", " ", s)
    for match in _TOKEN.finditer(source):
        code.append(source[at:match.start()])
        comments.append(blank(source[at:match.start()]))
        token = match.group()
        if token.startswith("/"):
            code.append(blank(token))
            comments.append(token)
        else:
            code.append('"' + blank(token[1:-1]) + '"')
            comments.append(blank(token))
        at = match.end()
    code.append(source[at:])
    comments.append(blank(source[at:]))
    return "".join(code), "".join(comments)


_NOT_FUNCTION = re.compile(r"^(template\s*<[^{}]*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b")
_AFTER_PARAMETERS = re.compile(
    r"\)\s*((const|noexcept|override|final|mutable|&&?|requires\b.*|->\s*[\w:<>,\s&*\[\]]+)\s*)*(:[^:].*)?$", re.DOTALL)


def functions_cpp(code):
    """[(name, first line, lines)] of the brace blocks that follow a parameter list and lie in no other function."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), code, flags=re.M)
    found, stack, head_start = [], [], 0  # stack: kinds of the open braces
    for match in re.finditer(r"[{};]", code):
        at, sign = match.start(), match.group()
        inside = "function" in stack or "value" in stack
        if sign == "{":
            head = code[head_start:at].strip()
            head = re.sub(r"^(public|private|protected)\s*:\s*", "", head)
            kind = "scope"
            if not inside:
                parameters = _AFTER_PARAMETERS.search(head)
                if parameters and not _NOT_FUNCTION.match(head) and not head.endswith("="):
                    # `Name(...) : member_{value}`: the braces after an initialiser's name are a value.
                    in_initialiser = parameters.group(3) and re.search(r"[\w>]$", head)
                    kind = "value" if in_initialiser else "function"
                elif re.search(r"[=\w>\]]$", head) and not _NOT_FUNCTION.match(head) and head:
                    kind = "value"
            stack.append(kind)
            if kind == "function":
                name = re.search(r"([\w:~]+|operator\s*\S+?)\s*\(", head)
                found.append([name.group(1) if name else "?", code.count("\n", 0, at) + 1, len(stack)])
            if kind in ("scope", "function"):
                head_start = at + 1
        elif sign == "}":
            kind = stack.pop() if stack else "scope"
            if kind == "function":
                found[-1][2] = code.count("\n", 0, at) + 2 - found[-1][1]
            if kind in ("scope", "function"):
                head_start = at + 1
        elif not inside:
            head_start = at + 1
    return [tuple(f) for f in found]
