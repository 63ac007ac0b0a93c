"""What the documentation's pages say, as something that can be run or compared.

    pages.py script PAGE             a shell script that does what a reader of the page does: ```bash blocks are run, ```diff blocks applied
                                     with patch -p1 in ./sonar, blocks with a file's name (```cpp sonar/src/x.cpp) written to it. A command
                                     with the comment "# refused" must fail with status 2 or 3, any other must not.
    pages.py excerpts PAGE FILE...   each ```cpp block of the page stands in one of the files, whatever its indentation
    pages.py codes ERRORS PAGE       each code "## plugin.x" of the page of errors is named by the other page
"""
import re
import sys


def blocks(page):
    for found in re.finditer(r"^```(\w*)([^\n]*)\n(.*?)^```$", open(page, encoding="utf-8").read(), re.M | re.S):
        yield found[1], found[2].strip(), found[3]


def script(page):
    print("exec 2>&1\nset -eu")
    counts = {"bash": 0, "diff": 0, "file": 0}
    for language, name, text in blocks(page):
        if language == "diff":
            counts["diff"] += 1
            print(f"patch -p1 --fuzz=0 -d sonar <<'TENON_BLOCK'\n{text}TENON_BLOCK")
        elif name:
            counts["file"] += 1
            print(f"cat > '{name}' <<'TENON_BLOCK'\n{text}TENON_BLOCK")
        elif language == "bash":
            counts["bash"] += 1
            for line in text.splitlines():
                shown = line.replace("'", "'\\''")
                print(f"printf '%s\\n' '$ {shown}'")
                if "# refused" in line:
                    print(f"status=0; {{ {line}\n}} || status=$?\ncase $status in 2|3) ;; *) echo \"that gave $status, 2 or 3 was promised\"; exit 1;; esac")
                else:
                    print(line)
    print(f"echo 'page done: {counts['bash']} blocks of commands, {counts['diff']} changes, {counts['file']} files'")
    if min(counts.values()) == 0:
        sys.exit(f"{page}: {counts}: the page has lost its blocks")


def excerpts(page, files):
    squeezed = lambda text: re.sub(r"\s+", "", text)
    sources = [squeezed(open(file, encoding="utf-8").read()) for file in files]
    found = [text for language, name, text in blocks(page) if language == "cpp"]
    strange = [text for text in found if not any(squeezed(text) in source for source in sources)]
    for text in strange:
        print(f"{page}: in none of the sources:\n{text}")
    if strange or len(found) < 10:
        sys.exit(f"{len(strange)} of {len(found)} excerpts are not in the sources")


def codes(errors, page):
    text = open(page, encoding="utf-8").read()
    missing = [c for c in re.findall(r"^## (plugin\.\w+)", open(errors, encoding="utf-8").read(), re.M) if f"`{c}`" not in text]
    if missing:
        sys.exit(f"{page} does not name {', '.join(missing)}")


if __name__ == "__main__":
    if sys.argv[1] == "script":
        script(sys.argv[2])
    elif sys.argv[1] == "excerpts":
        excerpts(sys.argv[2], sys.argv[3:])
    else:
        codes(sys.argv[2], sys.argv[3])
