"""Copies a page of Markdown without its code and the targets of its links. Line numbers stay the same."""

import re
import sys


def blank(match):
    """As many line breaks as there were."""
    return "CODE" + "\n" * match.group().count("\n")


text = sys.stdin.read()
text = re.sub(r"^```.*?^```$", lambda match: "\n" * match.group().count("\n"), text, flags=re.M | re.S)
text = re.sub(r"^    .*$", "", text, flags=re.M)
text = re.sub(r"`[^`]*`", blank, text)
text = re.sub(r"\]\([^)]*\)", "]", text)
text = re.sub(r"^(#+ .*)$", r"\1.", text, flags=re.M)
sys.stdout.write(text)
