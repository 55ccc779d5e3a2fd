"""Check what sphinx-build made: links, what comes from the network, time of examples.

.venv/bin/python docs/check.py build/docs
"""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from sklearn_gd import GDRegressor

LONGEST_EXAMPLE = 60  # seconds


class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what a browser loads with it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = {"", "top"}, set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "href" in given:
            (self.links if tag == "a" else self.loaded).add(given["href"])
        if "src" in given:
            self.loaded.add(given["src"])
        for picture in given.get("srcset", "").split(","):
            self.loaded.update(picture.split()[:1])


page = cache(Page)


def is_remote(url):
    return bool(urlsplit(url).netloc)


def leads_nowhere(path, url):
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return True
    return target.suffix == ".html" and (
        unquote(parts.fragment) not in page(target).anchors
    )


def pages(folder):
    found = sorted(folder.rglob("*.html"))
    return [path for path in found if folder / "_static" not in path.parents]


def problems(folder):
    """Yield a line for each thing that is wrong."""
    for path in pages(folder):
        name = path.relative_to(folder)
        for url in sorted(page(path).links | page(path).loaded):
            if leads_nowhere(path, url):
                yield f"{name}: {url} leads nowhere"
        for url in sorted(filter(is_remote, page(path).loaded)):
            yield f"{name}: {url} comes from the network"
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        for url in re.findall(r"url\(\s*['\"]?([^'\")]+)", text):
            if is_remote(url):
                yield f"{path.relative_to(folder)}: {url} comes from the network"
            elif leads_nowhere(path, url):
                yield f"{path.relative_to(folder)}: {url} leads nowhere"
    # What notebooks show links to the page on its site.
    shown = GDRegressor()._get_doc_link().partition("/latest/")[2]
    if leads_nowhere(folder / "index.html", shown):
        yield f"GDRegressor links to {shown}, which leads nowhere"
    for case in ElementTree.parse(folder / "gallery.xml").iter("testcase"):
        seconds = float(case.get("time"))
        if seconds > LONGEST_EXAMPLE:
            yield f"{case.get('file')} takes {seconds:.0f} s"


def main():
    folder = Path(sys.argv[1]).resolve()
    found = list(problems(folder))
    print("\n".join([*found, f"{len(pages(folder))} pages, {len(found)} problems"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
